// What the unmodified clients of these tests have in common, whatever they speak, and a way to see what passes through
// their sockets.

import { WebSocket } from 'ws'
import * as Y from 'yjs'

import { until } from './until.mjs'
import { Witness } from './witness.mjs'

/** Each provider listens for the end of the process. */
process.setMaxListeners(0)

/** @param {ArrayBuffer | Buffer} data */
export const bytesOf = data => data instanceof ArrayBuffer ? new Uint8Array(data) : data

/** An editor in a room; what it speaks sets `provider`, and says whether it is `connected`. */
export class Client {
  constructor (room, generation, { doc = new Y.Doc(), witness = new Witness() }) {
    this.room = room
    this.generation = generation
    this.doc = doc
    this.witness = witness
    /** Close codes of every connection so far. @type {number[]} */
    this.closes = []
    /** Frames received so far. */
    this.received = 0
  }

  get awareness () {
    return this.provider.awareness
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

  /** The server has said, in the way of its protocol, that the edits of this client are durable. */
  get confirmed () {
    return this.echoed
  }

  async confirm () {
    await until(() => this.confirmed, `the edits of ${this} are confirmed`)
    return this
  }

  /** Presence of others and own, by client id. */
  get present () {
    return [...this.awareness.getStates().keys()]
  }

  /** @param {Uint8Array} message - from the server, without what addresses it */
  receive (message) {
    this.received++
    this.witness.receive(message)
  }

  toString () {
    return `client ${this.doc.clientID} (${this.generation}) in ${this.room.slice(0, 40)}`
  }
}

/** A WebSocket that tells of each frame it receives and of its end. */
export const tapped = ({ onFrame, onClose }) => class extends WebSocket {
  constructor (...args) {
    super(...args)
    // An attempt that is interrupted is an error without a listener otherwise, and ends the process.
    this.on('error', () => {})
    this.on('message', data => onFrame(bytesOf(data)))
    this.on('close', onClose)
  }
}
