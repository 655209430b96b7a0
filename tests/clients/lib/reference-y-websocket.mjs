#!/usr/bin/env node
// The reference server of y-websocket 2 behind the same command line, to try scenarios against: what fails there too
// is a fault of the scenario, or something that Syncline promises beyond it. SYNCLINE_BIN=lib/reference-y-websocket.mjs.
//
// It appends updates to a file for each room before it shows them, without a flush: enough for kill -9.

import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import utils from 'yws2/bin/utils'

const RESTART = 1012

// The copy of Yjs that the reference server uses.
const Y = createRequire(import.meta.url)('yjs')

const [command, ...args] = process.argv.slice(2)
if (command !== 'serve') process.exit(0)
const folder = args[args.indexOf('--data-dir') + 1]

const load = (room, doc) => {
  const file = join(folder, createHash('sha256').update(room).digest('hex'))
  const log = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  for (const update of log) Y.applyUpdate(doc, Buffer.from(update, 'base64'))
  // First in line, before the listener that sends updates to everyone.
  const others = doc._observers.get('update')
  doc._observers.delete('update')
  doc.on('update', update => appendFileSync(file, Buffer.from(update).toString('base64') + '\n'))
  for (const other of others) doc.on('update', other)
}

utils.setPersistence({ bindState: load, writeState: async () => {} })

const sockets = new WebSocketServer({ noServer: true })
const server = createServer((_request, response) => response.end())
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, connection => utils.setupWSConnection(connection, request))
})
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
process.on('SIGTERM', () => {
  for (const socket of sockets.clients) socket.close(RESTART)
  server.close()
  setTimeout(() => process.exit(0), 500)
})
