// Unmodified Hocuspocus clients of three generations. A socket may serve many of them, one for each document.

import * as hp2 from 'hp2'
import * as hp3 from 'hp3'
import * as hp4 from 'hp4'
import { WebSocket } from 'ws'

import * as addressed from './addressed.mjs'
import { Client, tapped } from './client.mjs'
import { until } from './until.mjs'

const LIBRARIES = { hp4, hp3, hp2 }

export const GENERATIONS = Object.keys(LIBRARIES)

/** How soon a client tries again, in milliseconds; a second or more unless told. */
const IMPATIENCE = { delay: 20, minDelay: 20, maxDelay: 200 }

/** A connection that documents share. */
export class Socket {
  /**
   * @param {{ hocuspocus: string }} place
   * @param {object} [options] - `generation`, and whether to `connect` at once
   */
  constructor (place, { generation = 'hp4', connect = true } = {}) {
    this.generation = generation
    /** Close codes of every connection so far. @type {number[]} */
    this.closes = []
    /** Frames received so far, by address; pings have none. @type {Map<string | null, number>} */
    this.received = new Map()
    /** By address. @type {Map<string, HocuspocusClient>} */
    this.clients = new Map()
    this.provider = new LIBRARIES[generation].HocuspocusProviderWebsocket({
      url: place.hocuspocus,
      ...IMPATIENCE,
      WebSocketPolyfill: tapped({
        onFrame: frame => this.#receive(frame),
        onClose: code => this.closes.push(code)
      }),
      // The second generation has the one, later ones the other.
      connect,
      autoConnect: connect
    })
  }

  get connected () {
    // Earlier generations call themselves connected only once they have heard something.
    return this.raw?.readyState === WebSocket.OPEN
  }

  /** The WebSocket itself, while there is one. */
  get raw () {
    return this.provider.webSocket
  }

  async disconnect () {
    this.provider.disconnect()
    await until(() => this.raw === null, 'the socket is closed')
  }

  leave () {
    this.provider.destroy()
  }

  #receive (frame) {
    const { address, message } = addressed.read(frame)
    this.received.set(address, (this.received.get(address) ?? 0) + 1)
    this.clients.get(address)?.receive(message)
  }
}

export class HocuspocusClient extends Client {
  /**
   * @param {{ hocuspocus: string }} place
   * @param {string} room
   * @param {object} [options] - `generation`, `doc`, `witness`; `socket` to share, or else `connect` for
   *   an own one; the rest goes to the provider
   */
  constructor (place, room, options = {}) {
    const { socket, connect, generation = socket?.generation ?? 'hp4', doc, witness, ...rest } = options
    super(room, generation, { doc, witness })
    this.socket = socket ?? new Socket(place, { generation, connect })
    this.ownsSocket = !socket
    this.provider = new LIBRARIES[generation].HocuspocusProvider({
      websocketProvider: this.socket.provider,
      name: room,
      document: this.doc,
      // The second generation talks to others of the same process otherwise.
      broadcast: false,
      ...rest
    })
    this.closes = this.socket.closes
    this.address = this.provider.effectiveName ?? room
    this.socket.clients.set(this.address, this)
    // The second generation attaches itself.
    this.provider.attach?.()
    /** What the server sent in `Stateless` messages. @type {string[]} */
    this.stateless = []
    this.provider.on('stateless', ({ payload }) => this.stateless.push(payload))
  }

  get connected () {
    return this.socket.connected
  }

  /** Whether the provider says that everything is saved. */
  get confirmed () {
    return this.synced && !this.provider.hasUnsyncedChanges
  }

  async confirm () {
    await until(() => this.confirmed, () => `${this} is saved: ${this.provider.unsyncedChanges} changes are not`)
    return this
  }

  get flushed () {
    return this.socket.raw.bufferedAmount === 0
  }

  async disconnect () {
    await this.socket.disconnect()
  }

  connect () {
    this.socket.provider.connect()
  }

  onConnected (callback) {
    this.socket.provider.on('open', callback)
  }

  terminate () {
    this.socket.raw?.terminate()
  }

  /** Leaves the document; a shared socket stays. */
  leave () {
    this.provider.destroy()
    this.socket.clients.delete(this.address)
    if (this.ownsSocket) this.socket.leave()
    this.doc.destroy()
  }
}
