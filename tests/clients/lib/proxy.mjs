// A TCP proxy that outlives the server: clients keep one address across server lives, and the network between them
// can be cut or made slow in one direction.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export class Proxy {
  constructor () {
    /** @type {Set<{ client: import('node:net').Socket, server: import('node:net').Socket, held: Buffer[], upgraded: boolean }>} */
    this.links = new Set()
    this.target = null
    this.holding = false
    this.listener = createServer(client => this.#link(client))
  }

  async start () {
    this.listener.listen(0, '127.0.0.1')
    await once(this.listener, 'listening')
    return this
  }

  get url () {
    return `ws://127.0.0.1:${this.listener.address().port}/yjs`
  }

  get automerge () {
    return `ws://127.0.0.1:${this.listener.address().port}/automerge`
  }

  get hocuspocus () {
    return `ws://127.0.0.1:${this.listener.address().port}/hocuspocus`
  }

  /** From now on connections reach this server. */
  open (server) {
    this.target = server.port
  }

  /** From now on nobody new gets through; what is under way on existing connections still arrives. */
  refuse () {
    this.target = null
  }

  /** From now on nobody gets through, and those who were are cut off. */
  shut () {
    this.refuse()
    for (const { client, server } of this.links) {
      client.destroy()
      server.destroy()
    }
  }

  /** What servers send stays in the network until `release`; only the answer to an upgrade still gets through. */
  hold () {
    this.holding = true
  }

  release () {
    this.holding = false
    for (const { client, held } of this.links) {
      for (const bytes of held.splice(0)) client.write(bytes)
    }
  }

  end () {
    this.shut()
    this.listener.close()
  }

  #link (client) {
    client.on('error', () => {})
    if (this.target === null) return client.destroy()
    const server = connect(this.target, '127.0.0.1')
    const link = { client, server, held: [], upgraded: false }
    this.links.add(link)
    client.setNoDelay(true)
    server.setNoDelay(true)
    server.on('error', () => {})
    client.on('data', bytes => server.write(bytes))
    server.on('data', bytes => this.#deliver(link, bytes))
    const end = () => {
      this.links.delete(link)
      // What the server has written before it went is still delivered.
      client.end()
      server.destroy()
    }
    client.on('close', end)
    server.on('close', end)
  }

  #deliver (link, bytes) {
    if (!link.upgraded) {
      // The head of an answer is small and arrives in one piece.
      const end = bytes.indexOf('\r\n\r\n') + 4
      link.upgraded = true
      link.client.write(bytes.subarray(0, end))
      bytes = bytes.subarray(end)
    }
    if (this.holding) link.held.push(bytes)
    else if (bytes.length > 0) link.client.write(bytes)
  }
}
