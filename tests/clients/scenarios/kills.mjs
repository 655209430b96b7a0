// The server is killed again and again while people write. What any of them has seen from it, their own edits or
// those of others, is there after the restart, before anyone can send it again; start-up never fails.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'

import { contentOf, sameState } from '../lib/content.mjs'
import { edits, trim } from '../lib/edits.mjs'
import { served } from '../lib/raw.mjs'
import { generations, scenario, setting } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'
import { Witness } from '../lib/witness.mjs'

const CYCLES = setting('SYNCLINE_KILLS', 20)
const ROOMS = ['first', 'second']
const WRITERS = 3
const LIFE_MS_MAX = 150

const write = async (rng, writers, life) => {
  const end = performance.now() + life
  while (performance.now() < end) {
    for (let burst = prng.int32(rng, 0, 1); burst > 0; burst--) {
      const { doc } = prng.oneOf(rng, writers)
      edits(rng, doc)
      trim(doc)
    }
    await pause(2)
  }
}

/** Some lives end while the process is still starting. */
const dieAtStart = async (rng, server) => {
  server.launch()
  await pause(prng.int32(rng, 0, 60))
  await server.kill()
}

const expectKept = async (server, witnesses) => {
  for (const [room, witness] of witnesses) {
    const kept = await served(server.url, room)
    witness.assertKeptBy(kept)
    witness.receiveAll(kept)
  }
}

const cycle = async (world, server, proxy, people, witnesses) => {
  proxy.open(server)
  const whole = prng.int32(world.rng, 0, 3) > 0
  if (whole) await until(() => people.every(person => person.synced), 'all are back')
  await write(world.rng, people, prng.int32(world.rng, 0, LIFE_MS_MAX))
  await server.kill()
  proxy.refuse()
  await until(() => people.every(person => !person.connected), 'everyone notices')
  if (prng.int32(world.rng, 0, 9) === 0) await dieAtStart(world.rng, server)
  await server.start()
  await expectKept(server, witnesses)
}

await scenario(async world => {
  const server = await world.serve()
  const proxy = await world.proxy(server)
  const witnesses = new Map(ROOMS.map(room => [room, new Witness()]))
  const people = [...witnesses].flatMap(([room, witness]) => Array.from({ length: WRITERS }, (_, i) =>
    world.join(proxy, room, { generation: generations[i % generations.length], witness })))

  world.tell(`${CYCLES} times: write, kill -9, restart, look`)
  for (let i = 1; i <= CYCLES; i++) {
    await cycle(world, server, proxy, people, witnesses)
    if (i % 20 === 0) world.tell(`${i} kills`)
  }

  world.tell('when the kills stop everyone converges')
  proxy.open(server)
  for (const person of people) await person.sync()
  for (const room of ROOMS) {
    const [one, ...others] = people.filter(person => person.room === room)
    await until(() => one.echoed && others.every(other => other.echoed && sameState(other.doc, one.doc)), 'all agree')
    for (const other of others) assert.deepStrictEqual(contentOf(other.doc), contentOf(one.doc))
    assert.ok(one.doc.getText('text').length + one.doc.getArray('array').length > 0, 'something was written')
  }
  await expectKept(server, witnesses)

  world.tell('the data folder is sound')
  proxy.refuse()
  assert.equal((await server.stop()).code, 0)
  const { status, stderr } = server.command('verify')
  assert.equal(status, 0, `syncline verify: ${stderr}`)
})
