// Unmodified clients of y-sweet, and of its management API.

import { createYjsProvider } from '@y-sweet/client'
import { DocumentManager } from '@y-sweet/sdk'

import { Client, tapped } from './client.mjs'

/** y-sweet's programs take the place and the token of a server as one URL. */
export const managerOf = (place, token) => {
  const { host } = new URL(place.url)
  return new DocumentManager(`ys://${token ? `${encodeURIComponent(token)}@` : ''}${host}`)
}

export class YSweetClient extends Client {
  /**
   * @param {{ url: string }} place
   * @param {string} room
   * @param {object} [options] - `doc`, `witness`; `issue` makes what the provider is given to connect with, by default by asking
   * the server without a token; the rest goes to the provider
   */
  constructor (place, room, { doc, witness, issue, ...options } = {}) {
    super(room, 'y-sweet', { doc, witness })
    /** What it was given so far. */
    this.given = []
    const manager = managerOf(place)
    issue ??= () => manager.getOrCreateDocAndToken(room)
    const ask = async () => {
      const given = await issue(this.given.length)
      this.given.push(given)
      return given
    }
    this.provider = createYjsProvider(this.doc, room, ask, {
      showDebuggerLink: false,
      WebSocketPolyfill: tapped({
        onFrame: frame => this.receive(frame),
        onClose: code => this.closes.push(code)
      }),
      ...options
    })
  }

  get connected () {
    return this.provider.status === 'connected'
  }

  /** The server has said that all that this client holds is durable. */
  get confirmed () {
    return !this.provider.hasLocalChanges
  }

  leave () {
    // It would connect again after the end of its socket.
    this.provider.connect = async () => {}
    this.provider.destroy()
    this.doc.destroy()
  }
}
