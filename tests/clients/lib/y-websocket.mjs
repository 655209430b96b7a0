// Unmodified y-websocket clients of both generations.

import { WebsocketProvider as Provider2 } from 'yws2'
import { WebsocketProvider as Provider3 } from 'yws3'

import { Client, tapped } from './client.mjs'

const PROVIDERS = { yws3: Provider3, yws2: Provider2 }

export const GENERATIONS = Object.keys(PROVIDERS)

export class YWebsocketClient extends Client {
  /**
   * @param {{ url: string }} place
   * @param {string} room
   * @param {object} [options] - `generation`, `doc`, `witness`; the rest goes to the provider
   */
  constructor (place, room, { generation = 'yws3', doc, witness, ...options } = {}) {
    super(room, generation, { doc, witness })
    this.provider = new PROVIDERS[generation](place.url, room, this.doc, {
      disableBc: true,
      maxBackoffTime: 100,
      WebSocketPolyfill: tapped({
        onFrame: frame => this.receive(frame),
        onClose: code => this.closes.push(code)
      }),
      ...options
    })
  }

  get connected () {
    return this.provider.wsconnected
  }

  /** Whether all that was handed to the connection is on its way. */
  get flushed () {
    return this.provider.ws.bufferedAmount === 0
  }

  async disconnect () {
    this.provider.disconnect()
  }

  connect () {
    this.provider.connect()
  }

  /** Calls back each time the connection is there. */
  onConnected (callback) {
    this.provider.on('status', ({ status }) => status === 'connected' && callback())
  }

  /** Breaks the connection off without a word. */
  terminate () {
    this.provider.ws?.terminate()
  }

  leave () {
    this.provider.destroy()
    this.doc.destroy()
  }
}
