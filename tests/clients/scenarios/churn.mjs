// Many rooms are joined and left at random while they are edited, in less memory than they need: rooms are unloaded
// and loaded under way. No edit that was acknowledged is missing from a later visit, and people who are in a room at
// the same time are in the same room.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'

import { everyGeneration, generations } from '../lib/generations.mjs'
import { served, servedToHocuspocus } from '../lib/raw.mjs'
import { scenario, setting } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const ROOMS = setting('SYNCLINE_ROOMS', 200)
const VISITS = ROOMS * 4
const VISITORS = 12
const HOT_ROOMS = 5
const MEMORY_MB = 32
/** Together the rooms need more than the memory. */
const FURNITURE_BYTES = 1.5 * MEMORY_MB * 2 ** 20 / ROOMS

const tokensOf = client => client.doc.getMap('tokens')

class Building {
  constructor (world, server) {
    this.world = world
    this.server = server
    this.visits = 0
    /** Tokens that were acknowledged, by room. @type {Map<string, string[]>} */
    this.acknowledged = new Map()
    /** Who is in a room and has synced. @type {Map<string, Set<import('../lib/client.mjs').Client>>} */
    this.inside = new Map()
  }

  tokens (room) {
    return this.acknowledged.get(room) ?? []
  }

  pick () {
    const { rng } = this.world
    return `room ${prng.int32(rng, 0, prng.int32(rng, 0, 9) < 3 ? HOT_ROOMS - 1 : ROOMS - 1)}`
  }

  async visitor () {
    while (this.visits < VISITS) {
      this.visits++
      await this.visit(this.pick())
    }
  }

  async visit (room) {
    const { rng } = this.world
    const known = [...this.tokens(room)]
    const client = this.world.join(this.server, room, { generation: prng.oneOf(rng, everyGeneration) })
    await client.sync()
    for (const token of known) assert.ok(tokensOf(client).has(token), `${token} was acknowledged and is missing in ${room}`)
    this.enter(room, client)
    for (let i = prng.int32(rng, 1, 3); i > 0; i--) await this.write(room, client)
    this.inside.get(room).delete(client)
    if (prng.bool(rng)) client.terminate()
    this.world.leave(client)
  }

  enter (room, client) {
    if (!this.inside.has(room)) this.inside.set(room, new Set())
    this.inside.get(room).add(client)
  }

  async write (room, client) {
    const token = `token ${this.visits}.${client.doc.clientID}.${tokensOf(client).size}`
    const furnished = client.doc.getText('furniture').length > 0
    if (!furnished) client.doc.getText('furniture').insert(0, 'f'.repeat(FURNITURE_BYTES))
    tokensOf(client).set(token, true)
    const witnesses = [...this.inside.get(room)]
    await client.confirm()
    this.acknowledged.set(room, [...this.tokens(room), token])
    for (const other of witnesses) {
      const seen = () => tokensOf(other).has(token) || !this.inside.get(room).has(other)
      await until(seen, `${other}, who is in ${room} too, sees ${token}`)
    }
  }
}

await scenario(async world => {
  const server = await world.serve({ args: ['--memory-mb', String(MEMORY_MB)] })
  const building = new Building(world, server)
  world.tell(`${VISITORS} visitors make ${VISITS} visits to ${ROOMS} rooms`)
  await Promise.all(Array.from({ length: VISITORS }, () => building.visitor()))
  world.tell(`memory: ${(server.rss() / 2 ** 20).toFixed(0)} MiB`)

  const look = room => generations.length > 0 ? served(server.url, room) : servedToHocuspocus(server, room)
  world.tell('every room holds every acknowledged edit')
  for (const [room, tokens] of building.acknowledged) {
    const doc = await look(room)
    for (const token of tokens) assert.ok(doc.getMap('tokens').has(token), `${token} is missing in ${room}`)
  }
  world.tell(`memory: ${(server.rss() / 2 ** 20).toFixed(0)} MiB`)
})
