#!/usr/bin/env node
// The reference server of Hocuspocus 4 behind the same command line, to try scenarios against: what fails there too is a
// fault of the scenario, or something that Syncline promises beyond it. It needs what benches/peers/hocuspocus installs, and
// Node 22 as the node of the path. SYNCLINE_BIN=lib/reference-hocuspocus.mjs.
//
// It appends updates to a file for each document before it shows or acknowledges them, without a flush: enough for kill -9.

import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const peers = createRequire(new URL('../../../benches/peers/hocuspocus/package.json', import.meta.url))

const [command, ...args] = process.argv.slice(2)
if (command !== 'serve') process.exit(0)
const folder = args[args.indexOf('--data-dir') + 1]

const persist = ({ document, documentName }) => {
  const Y = peers('yjs')
  const file = join(folder, createHash('sha256').update(documentName).digest('hex'))
  const log = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  for (const update of log) Y.applyUpdate(document, Buffer.from(update, 'base64'))
  // First in line, before the listener that sends updates to everyone.
  const others = document._observers.get('update')
  document._observers.delete('update')
  document.on('update', update => appendFileSync(file, Buffer.from(update).toString('base64') + '\n'))
  for (const other of others) document.on('update', other)
}

/** Tokens as a configuration file of Syncline lists them, with one grant each. @return {{ secret: string, rooms: string, action: string }[]} */
const grants = file => readFileSync(file, 'utf8').split('[[token]]').slice(1).map(lines =>
  ({ secret: lines.match(/^secret = "(.*)"$/m)[1], ...lines.match(/^grants = \["doc:(?<rooms>.*)=(?<action>.*)"\]$/m).groups }))

const config = args.includes('--config') ? args[args.indexOf('--config') + 1] : null

const authorize = ({ token, documentName, connectionConfig }) => {
  if (!config) return
  const isOf = ({ secret, rooms }) => secret === token && documentName.startsWith(rooms.replace('*', ''))
  const grant = grants(config).find(isOf)
  if (!grant) throw new Error('no grant')
  connectionConfig.readOnly = grant.action !== 'write'
  return { speaks: grant.action !== 'read' }
}

const { Server } = peers('@hocuspocus/server')
const server = new Server({
  port: 0,
  address: '127.0.0.1',
  quiet: true,
  onAuthenticate: async asking => authorize(asking),
  onLoadDocument: async loading => persist(loading),
  // As Syncline passes them on.
  onStateless: async ({ document, connection, payload }) => {
    if (connection.context.speaks ?? true) document.broadcastStateless(payload, other => other !== connection)
  }
})
await server.listen()
console.log(`listening on http://127.0.0.1:${server.address.port}`)
