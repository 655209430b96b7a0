// Unmodified automerge-repo clients.

import * as A from '@automerge/automerge'
import { Repo, generateAutomergeUrl } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import { WebSocket } from 'ws'

import { until } from './until.mjs'

// In node, not in browsers, an attempt to connect that the adapter gives up for the next one fails with nobody listening, which
// would end the process.
const { emit } = WebSocket.prototype
WebSocket.prototype.emit = function (name, ...rest) {
  return name === 'error' && this.listenerCount('error') === 0 ? false : emit.call(this, name, ...rest)
}

const RETRY_MS = 200

/** A storage in memory, for as many repos as share it. */
export class Memory {
  constructor () {
    this.entries = new Map()
  }

  async load (key) {
    return this.entries.get(JSON.stringify(key))?.data
  }

  async save (key, data) {
    this.entries.set(JSON.stringify(key), { key, data })
  }

  async remove (key) {
    this.entries.delete(JSON.stringify(key))
  }

  async loadRange (prefix) {
    return [...this.entries.values()].filter(({ key }) => prefix.every((part, i) => key[i] === part))
  }

  async removeRange (prefix) {
    for (const { key } of await this.loadRange(prefix)) await this.remove(key)
  }
}

/** Somebody with a repo that is connected to a server or a proxy. */
export class Person {
  /**
   * @param {{ automerge: string }} place
   * @param {{ name?: string, storage?: Memory, token?: string, claims?: Claims }} [options]
   */
  constructor (place, { name, storage, token, claims } = {}) {
    const url = token ? `${place.automerge}?token=${token}` : place.automerge
    this.adapter = new WebSocketClientAdapter(url, RETRY_MS)
    // In node, not in browsers, it throws for whatever is not ECONNREFUSED, and that ends the process.
    this.adapter.onError = () => {}
    this.joins = 0
    this.adapter.on('peer-candidate', () => this.joins++)
    /** Documents of which the server has been told. */
    this.announced = new Set()
    const send = this.adapter.send.bind(this.adapter)
    this.adapter.send = message => {
      send(message)
      if (message.type === 'sync') this.announced.add(message.documentId)
    }
    if (claims) this.adapter.on('message', message => claims.receive(message))
    this.repo = new Repo({ network: [this.adapter], storage, ...(name && { peerId: name }) })
    this.name = this.repo.peerId
    this.told = []
  }

  /** Creates a document, and resolves when the server has been told of it. */
  async create (init) {
    const handle = this.repo.create(init)
    await until(() => this.announced.has(handle.documentId), 'the server is told of a new document')
    return handle
  }

  /** Finds a document, or rejects if there is none. A repo that has not met anyone within a second gives up by itself. */
  async find (url) {
    await until(() => this.joins > 0, `${this.name} is connected`)
    return await this.repo.find(url)
  }

  /** Notes what others broadcast about a document. */
  listen (handle) {
    handle.on('ephemeral-message', ({ message, senderId }) => this.told.push({ message, senderId }))
  }

  leave () {
    // It throws for who never got in, and has left by then.
    try {
      this.repo.shutdown().catch(() => {})
    } catch {}
  }
}

/** What a server has said that it holds: it may never lose it. */
export class Claims {
  constructor () {
    /** Heads, by document. @type {Map<string, Set<string>>} */
    this.heads = new Map()
  }

  receive ({ type, documentId, data }) {
    if (type !== 'sync') return
    const heads = this.heads.get(documentId) ?? new Set()
    for (const head of A.decodeSyncMessage(data).heads) heads.add(head)
    this.heads.set(documentId, heads)
  }

  /** The heads that a document lacks. */
  missingIn (handle) {
    const doc = handle.doc()
    return [...this.heads.get(handle.documentId) ?? []].filter(head => !A.hasHeads(doc, [head]))
  }
}

/** What a document is now, for comparing. */
export const headsOf = handle => A.getHeads(handle.doc()).join()

/** Waits until all have the same. */
export const agree = async (handles, what) => {
  await until(() => handles.every(handle => headsOf(handle) === headsOf(handles[0])), () =>
    `${what}: all agree, but ${handles.map(headsOf).join(' | ')}`)
}

/** Writes behind what the text `text` of a document holds. */
export const append = (handle, words) => handle.change(doc => A.splice(doc, ['text'], doc.text.length, 0, words))

/** A URL that no document has. */
export const newUrl = () => generateAutomergeUrl()
