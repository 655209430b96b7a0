// WebSocket clients without an editor: for hostile frames, for readers that do not read, and for asking the server
// what it serves without giving it anything.

import { WebSocket } from 'ws'
import * as Y from 'yjs'

import * as addressed from './addressed.mjs'
import { bytesOf } from './client.mjs'
import * as frames from './frames.mjs'
import { until } from './until.mjs'

export class RawClient {
  constructor (url, options = {}) {
    /** Frames from the server. @type {Uint8Array[]} */
    this.frames = []
    /** HTTP status of the answer to the upgrade; 101 once open. @type {number | null} */
    this.status = null
    /** Close code, once closed. @type {number | null} */
    this.closed = null
    this.reason = ''
    this.socket = new WebSocket(url, options)
    this.socket.on('error', () => {})
    this.socket.on('open', () => { this.status = 101 })
    this.socket.on('unexpected-response', (request, response) => {
      this.status = response.statusCode
      request.destroy()
    })
    this.socket.on('message', data => this.frames.push(new Uint8Array(bytesOf(data))))
    this.socket.on('close', (code, reason) => {
      this.closed = code
      this.reason = String(reason)
    })
  }

  /** The status of the answer to the upgrade. */
  async answer () {
    return await until(() => this.status, 'the upgrade is answered')
  }

  async open () {
    const status = await this.answer()
    if (status !== 101) throw new Error(`the upgrade was refused with ${status}`)
    return this
  }

  /** @param {Uint8Array | string} frame */
  send (frame) {
    this.socket.send(frame)
  }

  /** The close code that the server gave. */
  async close () {
    await until(() => this.closed !== null, 'the server closes the connection')
    return this.closed
  }

  ofKind (kind) {
    return this.frames.map(frames.read).filter(frame => frame.kind === kind).map(frame => frame.payload)
  }

  leave () {
    this.socket.terminate()
  }
}

/** What the newest generation says in its token message, so that the server may send it all that it sends to that one. */
const VERSION = '4.8.0'

const NO_UPDATE = new Uint8Array([0, 0])

export class RawHocuspocus extends RawClient {
  /** Asks for a document as providers do: a token, then Step1. Those before the fourth generation tell no version. */
  attach (address, version = VERSION) {
    this.send(addressed.token(address, '', version))
    this.sendTo(address, frames.step1())
  }

  /** Says that it holds nothing, as it is asked; updates are acknowledged from then on. */
  async begin (address) {
    await until(() => this.ofKind('step1', address).length > 0, `Step1 comes for ${address}`)
    this.sendTo(address, frames.step2(NO_UPDATE))
    await until(() => this.statuses(address).length > 0, 'the answer is acknowledged')
  }

  async answerFor (address) {
    await until(() => this.ofKind('step2', address).length > 0, `Step1 is answered in ${address}`)
  }

  sendTo (address, message) {
    this.send(addressed.to(address, message))
  }

  /** Messages to an address, without it. @return {Uint8Array[]} */
  messages (address) {
    return this.frames.map(addressed.read).filter(frame => frame.address === address).map(frame => frame.message)
  }

  ofKind (kind, address) {
    return this.messages(address).map(frames.read).filter(message => message.kind === kind).map(message => message.payload)
  }

  /** Why a document was closed or not opened for it; the socket may be open still. @return {string[]} */
  refusals (address) {
    return this.messages(address).map(addressed.refusal).filter(reason => reason !== null)
  }

  /** What it was told of its updates: 1 for each that is durable, 0 for each that was refused. @return {number[]} */
  statuses (address) {
    return this.messages(address).filter(([type]) => type === addressed.SYNC_STATUS).map(([, status]) => status)
  }
}

/**
 * The document as the server serves it to a newcomer.
 *
 * @return {Promise<Y.Doc>}
 */
export const served = async (url, room) => {
  const reader = await new RawClient(`${url}/${room}`).open()
  reader.send(frames.step1())
  return await answerTo(reader, () => reader.ofKind('step2'), room)
}

/**
 * The same, asked for in the other protocol.
 *
 * @param {{ hocuspocus: string }} place
 * @return {Promise<Y.Doc>}
 */
export const servedToHocuspocus = async (place, name) => {
  const reader = await new RawHocuspocus(place.hocuspocus).open()
  reader.attach(name)
  return await answerTo(reader, () => reader.ofKind('step2', name), name)
}

const answerTo = async (reader, answers, room) => {
  await until(() => answers().length > 0, `Step1 is answered in ${room}`)
  const doc = new Y.Doc()
  for (const update of answers()) Y.applyUpdate(doc, update)
  reader.leave()
  return doc
}
