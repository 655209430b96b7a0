#!/usr/bin/env node
// The reference server of y-websocket 2 behind the same command line, to try scenarios against: what fails there too
// is a fault of the scenario, or something that Syncline promises beyond it. SYNCLINE_BIN=lib/reference.mjs.

import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import utils from 'yws2/bin/utils'

const sockets = new WebSocketServer({ noServer: true })
const server = createServer((_request, response) => response.end())
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, connection => utils.setupWSConnection(connection, request))
})
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
