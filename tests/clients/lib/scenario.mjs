// The frame of every scenario: a world with a server, a network and clients, which is taken down at the end, whatever
// the end is. Seeds are printed and settable by SYNCLINE_SEED.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as prng from 'lib0/prng'

import { clientOf } from './generations.mjs'
import { Socket } from './hocuspocus.mjs'
import { Proxy } from './proxy.mjs'
import { RawClient, RawHocuspocus } from './raw.mjs'
import { Server } from './server.mjs'

const SCENARIO_MS_MAX = Number(process.env.SYNCLINE_SCENARIO_SECONDS ?? 600) * 1000

export { generations, isReference } from './generations.mjs'

/** Whether what takes its time may be left out. */
export const isQuick = Boolean(process.env.SYNCLINE_QUICK)

/** A number from the environment. */
export const setting = (name, otherwise) => Number(process.env[name] ?? otherwise)

class World {
  constructor () {
    this.folder = mkdtempSync(join(tmpdir(), 'syncline-e2e-'))
    this.seed = setting('SYNCLINE_SEED', (Date.now() ^ process.pid) >>> 0)
    this.rng = prng.create(this.seed)
    this.servers = []
    this.proxies = []
    this.clients = []
    this.sockets = []
    this.told = []
  }

  /** Says what happens next; shown when the scenario fails. */
  tell (line) {
    this.told.push(line)
    console.log(`${(performance.now() / 1000).toFixed(2).padStart(7)} s  ${line}`)
  }

  /** This world, for a part of the story that is played along with others: what it tells begins with its subject. */
  about (subject) {
    const part = Object.create(this)
    part.tell = line => this.tell(`${subject}: ${line}`)
    return part
  }

  async serve (options = {}) {
    const server = new Server({ folder: join(this.folder, String(this.servers.length)), ...options })
    this.servers.push(server)
    return await server.start()
  }

  async proxy (server) {
    const proxy = await new Proxy().start()
    this.proxies.push(proxy)
    proxy.open(server)
    return proxy
  }

  /** An editor that joins a room of a server or of a proxy. */
  join (place, room, options) {
    return this.keep(clientOf(place, room, options))
  }

  /** A Hocuspocus connection for editors to share: `join` them with it as the option `socket`. */
  socket (place, options) {
    const socket = new Socket(place, options)
    this.sockets.push(socket)
    return socket
  }

  /** A socket without an editor. */
  raw (place, room, options) {
    return this.keep(new RawClient(`${place.url}/${room}`, options))
  }

  /** A socket to many documents without an editor. */
  rawHocuspocus (place) {
    return this.keep(new RawHocuspocus(place.hocuspocus))
  }

  leave (client) {
    this.clients.splice(this.clients.indexOf(client), 1)
    client.leave()
  }

  keep (client) {
    this.clients.push(client)
    return client
  }

  end ({ keep }) {
    for (const client of [...this.clients, ...this.sockets]) client.leave()
    for (const proxy of this.proxies) proxy.end()
    this.endServers()
    if (!keep) rmSync(this.folder, { recursive: true, force: true })
  }

  endServers () {
    for (const server of this.servers) {
      if (server.process && !server.exit) server.process.kill('SIGKILL')
    }
  }
}

/**
 * Plays a scenario and ends the process: 0 if every expectation held.
 *
 * @param {(world: World) => Promise<void>} play
 */
export const scenario = async play => {
  const world = new World()
  process.on('exit', () => world.endServers())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))
  const fail = error => {
    console.log(`\nFAILED with SYNCLINE_SEED=${world.seed}; data kept in ${world.folder}`)
    console.log(error)
    for (const server of world.servers) {
      console.log(`\nlast lines of server ${server.pid}, ${server.exit ? `ended ${JSON.stringify(server.exit)}` : 'running'}:`)
      console.log(server.log.join('\n'))
    }
    process.exit(1)
  }
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  setTimeout(() => fail(new Error(`the scenario takes longer than ${SCENARIO_MS_MAX} ms`)), SCENARIO_MS_MAX).unref()
  world.tell(`SYNCLINE_SEED=${world.seed}`)
  try {
    await play(world)
  } catch (error) {
    fail(error)
  }
  world.tell('the end')
  world.end({ keep: false })
  process.exit(0)
}
