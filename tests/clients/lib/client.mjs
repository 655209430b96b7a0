// Unmodified y-websocket clients of both generations, and a way to see what passes through their sockets.

import { WebSocket } from 'ws'
import { WebsocketProvider as Provider2 } from 'yws2'
import { WebsocketProvider as Provider3 } from 'yws3'
import * as Y from 'yjs'

import { until } from './until.mjs'
import { Witness } from './witness.mjs'

const PROVIDERS = { yws3: Provider3, yws2: Provider2 }

export const GENERATIONS = Object.keys(PROVIDERS)

/** Each provider listens for the end of the process. */
process.setMaxListeners(0)

/** @param {ArrayBuffer | Buffer} data */
export const bytesOf = data => data instanceof ArrayBuffer ? new Uint8Array(data) : data

export class Client {
  /**
   * @param {string} url - without the room
   * @param {string} room
   * @param {object} [options] - `generation`, `doc`, `witness`, `onSend`; the rest goes to the provider
   */
  constructor (url, room, { generation = 'yws3', doc = new Y.Doc(), witness = new Witness(), ...options } = {}) {
    this.generation = generation
    this.doc = doc
    this.witness = witness
    /** Close codes of every connection so far. @type {number[]} */
    this.closes = []
    /** Frames received so far. */
    this.received = 0
    this.provider = new PROVIDERS[generation](url, room, doc, {
      disableBc: true,
      maxBackoffTime: 100,
      WebSocketPolyfill: tapped(this),
      ...options
    })
  }

  get awareness () {
    return this.provider.awareness
  }

  get connected () {
    return this.provider.wsconnected
  }

  get synced () {
    return this.provider.synced
  }

  async sync () {
    await until(() => this.synced, `${this} is synced`)
    return this
  }

  /** The server has shown this client everything that it has inserted: its edits are durable. */
  get echoed () {
    return this.witness.saw(this.doc.clientID, Y.getState(this.doc.store, this.doc.clientID))
  }

  async echo () {
    await until(() => this.echoed, `${this} sees the echo of its edits`)
  }

  /** Presence of others and own, by client id. */
  get present () {
    return [...this.awareness.getStates().keys()]
  }

  leave () {
    this.provider.destroy()
    this.doc.destroy()
  }

  toString () {
    return `client ${this.doc.clientID} (${this.generation}) in ${this.provider.roomname.slice(0, 40)}`
  }
}

const tapped = client => class extends WebSocket {
  constructor (...args) {
    super(...args)
    // An attempt that is interrupted is an error without a listener otherwise, and ends the process.
    this.on('error', () => {})
    this.on('message', data => {
      client.received++
      client.witness.receive(bytesOf(data))
    })
    this.on('close', code => client.closes.push(code))
  }
}
