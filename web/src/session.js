// One room that is open: its document, its connection, and what is known about saving.

import { HocuspocusProvider } from '@hocuspocus/provider'
import * as Y from 'yjs'

import { me } from './person.js'
import { describe } from './saving.js'
import { token, tokens } from './token.js'
import { setUnsaved } from './unsaved.js'

/** The root type that the page edits; examples/plain-text and examples/codemirror use the same. */
const ROOT = 'text'

/** Waits between two attempts to connect grow to this, in milliseconds. */
const RECONNECT_MS_MAX = 5_000

const open = new Map()

/** Returns the session of a room; one that was left with unsaved edits goes on. */
export const join = name => {
  const known = open.get(name)
  if (known) {
    known.left = false
    known.show()
    return known
  }
  const session = new Session(name)
  open.set(name, session)
  return session
}

class Session extends EventTarget {
  left = false
  readOnly = false
  #met = false
  #connected = false
  #edits = 0
  #refused = ''

  constructor (name) {
    super()
    this.name = name
    this.doc = new Y.Doc()
    this.text = this.doc.getText(ROOT)
    this.provider = new HocuspocusProvider({
      url: `${location.origin.replace(/^http/, 'ws')}/hocuspocus`,
      name,
      document: this.doc,
      token,
      delay: 500,
      minDelay: 250,
      factor: 1.5,
      maxDelay: RECONNECT_MS_MAX
    })
    this.awareness = this.provider.awareness
    this.show()
    this.#listen()
  }

  get saving () {
    const { isSynced: synced, unsyncedChanges: unconfirmed } = this.provider
    return describe({ connected: this.#connected, synced, unconfirmed, edits: this.#edits, met: this.#met, readOnly: this.readOnly, refused: this.#refused })
  }

  /** Whether the room holds something that this page does not show. */
  get holdsMore () {
    return [...this.doc.share].some(([root, type]) => root !== ROOT && (type._start !== null || type._map.size > 0))
  }

  /** Lets others see who is here. */
  show = () => {
    if (!this.left) this.awareness.setLocalState({ ...this.awareness.getLocalState(), user: me.current })
  }

  /** Leaves the room once everything is saved. */
  leave () {
    this.left = true
    this.awareness.setLocalState(null)
    this.#endIfDone()
  }

  #listen () {
    me.addEventListener('change', this.show)
    this.doc.on('update', (_update, origin) => {
      if (origin !== this.provider) this.#edits += 1
      this.#changed()
    })
    this.provider.on('status', ({ status }) => {
      this.#connected = status === 'connected'
      this.#changed()
    })
    this.provider.on('synced', () => {
      this.#met = true
      this.#refused = ''
      this.#changed()
    })
    this.provider.on('authenticated', ({ scope }) => {
      this.readOnly = scope === 'readonly'
      this.#changed()
    })
    this.provider.on('unsyncedChanges', () => this.#changed())
    this.provider.on('authenticationFailed', ({ reason }) => {
      // What could not be kept is better not written.
      this.readOnly = true
      this.#refused = reason === 'permission-denied' ? 'You may not open this room' : `Not opened: ${reason}`
      this.#changed()
    })
    addEventListener('online', this.#reconnect)
    tokens.addEventListener('change', this.#knock)
  }

  #reconnect = () => {
    if (!this.#connected) this.provider.connect()
  }

  /** Asks again to be let in, as the provider does when a connection opens. */
  #knock = async () => {
    if (!this.#connected || this.provider.isAuthenticated) return
    await this.provider.sendToken()
    this.provider.startSync()
  }

  get refused () {
    return this.#refused !== ''
  }

  #changed () {
    // Which message is confirmed is not known, only how many wait: at none, every edit is.
    if (this.provider.unsyncedChanges === 0 && this.provider.isSynced) this.#edits = 0
    setUnsaved(this.name, this.#edits > 0)
    this.dispatchEvent(new Event('change'))
    this.#endIfDone()
  }

  #endIfDone () {
    if (!this.left || this.#edits > 0 || open.get(this.name) !== this) return
    open.delete(this.name)
    me.removeEventListener('change', this.show)
    removeEventListener('online', this.#reconnect)
    tokens.removeEventListener('change', this.#knock)
    // Not from within an event of the provider's own.
    queueMicrotask(() => {
      this.provider.destroy()
      this.doc.destroy()
    })
  }
}
