// "Saved" means saved. The server is killed again and again, each time in the moment in which some provider says that
// no change of its document is unsynced; after the restart everything that was in that document is there, and so is
// whatever anyone else has seen.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'

import { contentOf, sameState } from '../lib/content.mjs'
import { edits, spot, trim } from '../lib/edits.mjs'
import { hocuspocusGenerations } from '../lib/generations.mjs'
import { servedToHocuspocus } from '../lib/raw.mjs'
import { scenario, setting } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'
import { Witness } from '../lib/witness.mjs'

const CYCLES = setting('SYNCLINE_KILLS', 20)
const ROOMS = ['first', 'second']
const LIFE_MS_MAX = 100

/** For so many kills there is one more of people who have typed while the server was gone. */
const KILLS_AN_ABSENCE = 10
/** More than the server takes in at once. */
const OFFLINE_EDITS = 200

const type = (rng, { doc }) => {
  edits(rng, doc)
  trim(doc)
}

/** Each generation is in both rooms, with both on one socket. */
const enter = (world, place, witnesses) => hocuspocusGenerations.flatMap(generation => {
  const socket = world.socket(place, { generation })
  return ROOMS.map(room => world.join(place, room, { generation, socket, witness: witnesses.get(room) }))
})

/** The moment in which the provider says that nothing is unsynced; what it holds then, the server may not lose. */
const killWhenSaved = (server, one) => new Promise(resolve => {
  const look = () => {
    if (!one.confirmed) return
    server.process.kill('SIGKILL')
    one.provider.off('unsyncedChanges', look)
    one.witness.receiveAll(one.doc)
    resolve()
  }
  one.provider.on('unsyncedChanges', look)
  look()
})

const live = async (world, server, people, one) => {
  const { rng } = world
  const end = performance.now() + prng.int32(rng, 0, LIFE_MS_MAX)
  let alive = true
  const typists = people.map(async person => {
    while (alive && (person !== one || performance.now() < end)) {
      if (person.connected) type(rng, person)
      await pause(prng.int32(rng, 1, 20))
    }
  })
  await until(() => performance.now() >= end && one.synced, 'the life is over')
  await typists[people.indexOf(one)]
  type(rng, one)
  await killWhenSaved(server, one)
  alive = false
  await Promise.all(typists)
}

/**
 * Providers send what was typed offline edit by edit, but count all of it as one change that is not synced: that must not
 * be acknowledged edit by edit. Those that only delete are left out: when they were made the server cannot see.
 */
const typeOffline = (rng, people) => {
  for (const person of people) {
    const text = person.doc.getText('text')
    const start = spot(rng, text)
    for (let i = 0; i < OFFLINE_EDITS; i++) text.insert(start + prng.int32(rng, 0, i), `${i} `)
  }
}

const dieWhenSavedAgain = async (world, server, proxy, people, witnesses) => {
  typeOffline(world.rng, people)
  proxy.open(server)
  const one = prng.oneOf(world.rng, people)
  await until(() => one.synced, 'one is back')
  await killWhenSaved(server, one)
  await lookAfterKill(server, proxy, people, witnesses)
}

const expectKept = async (server, witnesses) => {
  for (const [room, witness] of witnesses) {
    const kept = await servedToHocuspocus(server, room)
    witness.assertKeptBy(kept)
    witness.receiveAll(kept)
  }
}

const lookAfterKill = async (server, proxy, people, witnesses) => {
  proxy.refuse()
  await until(() => server.exit && people.every(person => !person.connected), 'everyone notices')
  await server.start()
  await expectKept(server, witnesses)
}

await scenario(async world => {
  const server = await world.serve()
  const proxy = await world.proxy(server)
  const witnesses = new Map(ROOMS.map(room => [room, new Witness()]))
  const people = enter(world, proxy, witnesses)

  world.tell(`${CYCLES} times: write, kill -9 when one says that all is saved, restart, look`)
  for (let i = 1; i <= CYCLES; i++) {
    proxy.open(server)
    await live(world, server, people, people[i % people.length])
    await lookAfterKill(server, proxy, people, witnesses)
    if (i % 20 === 0) world.tell(`${i} kills`)
  }

  const returns = Math.ceil(CYCLES / KILLS_AN_ABSENCE)
  world.tell(`${returns} times: write while the server is gone, kill -9 when that is saved, restart, look`)
  for (let i = 1; i <= returns; i++) await dieWhenSavedAgain(world, server, proxy, people, witnesses)

  world.tell('when the kills stop everyone converges, and all is saved')
  proxy.open(server)
  for (const person of people) await person.sync()
  for (const room of ROOMS) {
    const [one, ...others] = people.filter(person => person.room === room)
    await until(() => one.echoed && others.every(other => other.echoed && sameState(other.doc, one.doc)), 'all agree')
    for (const other of others) assert.deepStrictEqual(contentOf(other.doc), contentOf(one.doc))
  }
  for (const person of people) await person.confirm()
  await expectKept(server, witnesses)
})
