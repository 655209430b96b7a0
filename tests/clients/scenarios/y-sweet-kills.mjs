// Message 102 keeps its word. The server is killed again and again, each time in the moment in which some client of y-sweet says
// that it has no local changes; after the restart everything that was in its document is there, and so is whatever anyone else has
// seen.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'

import { contentOf, sameState } from '../lib/content.mjs'
import { edits, trim } from '../lib/edits.mjs'
import { served } from '../lib/raw.mjs'
import { scenario, setting } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'
import { Witness } from '../lib/witness.mjs'
import { YSweetClient } from '../lib/y-sweet.mjs'

/** One for so many elsewhere: each of these clients waits seconds before it comes again. */
const KILLS_ELSEWHERE = 25
const CYCLES = Math.ceil(setting('SYNCLINE_KILLS', 200) / KILLS_ELSEWHERE)
const ROOMS = ['first', 'second']
const WRITERS = 3
const LIFE_MS_MAX = 100

const type = (rng, { doc }) => {
  edits(rng, doc)
  trim(doc)
}

/** The moment in which the client says that nothing is unsaved; what it holds then, the server may not lose. */
const killWhenSaved = (server, one) => new Promise(resolve => {
  const look = () => {
    if (!one.confirmed) return
    server.process.kill('SIGKILL')
    one.provider.off('local-changes', look)
    one.witness.receiveAll(one.doc)
    resolve()
  }
  one.provider.on('local-changes', look)
  look()
})

/** All write for a while, some of it before they are connected again; then one stops, and the rest go on until it is saved. */
const live = async (world, server, people, one) => {
  const { rng } = world
  const end = performance.now() + prng.int32(rng, 0, LIFE_MS_MAX)
  let alive = true
  const typists = people.map(async person => {
    while (alive && (person !== one || performance.now() < end)) {
      type(rng, person)
      await pause(prng.int32(rng, 1, 20))
    }
  })
  await typists[people.indexOf(one)]
  type(rng, one)
  await killWhenSaved(server, one)
  alive = false
  await Promise.all(typists)
}

const expectKept = async (server, witnesses) => {
  for (const [room, witness] of witnesses) {
    const kept = await served(server.url, room)
    witness.assertKeptBy(kept)
    witness.receiveAll(kept)
  }
}

await scenario(async world => {
  const server = await world.serve()
  const proxy = await world.proxy(server)
  const witnesses = new Map(ROOMS.map(room => [room, new Witness()]))
  const people = [...witnesses].flatMap(([room, witness]) =>
    Array.from({ length: WRITERS }, () => world.keep(new YSweetClient(proxy, room, { witness }))))

  world.tell(`${CYCLES} times: write, kill -9 when one says that all is saved, restart, look`)
  for (let i = 1; i <= CYCLES; i++) {
    proxy.open(server)
    await live(world, server, people, people[i % people.length])
    proxy.refuse()
    await until(() => server.exit && people.every(person => !person.connected), 'everyone notices')
    await server.start()
    await expectKept(server, witnesses)
    if (i % 20 === 0) world.tell(`${i} kills`)
  }

  world.tell('when the kills stop everyone converges, and all is saved')
  proxy.open(server)
  for (const person of people) await person.confirm()
  for (const room of ROOMS) {
    const [one, ...others] = people.filter(person => person.room === room)
    await until(() => others.every(other => sameState(other.doc, one.doc)), 'all agree')
    for (const other of others) assert.deepStrictEqual(contentOf(other.doc), contentOf(one.doc))
    assert.ok(one.doc.getText('text').length + one.doc.getArray('array').length > 0, 'something was written')
  }
  await expectKept(server, witnesses)
})
