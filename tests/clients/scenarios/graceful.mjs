// An orderly end under load: everyone is told, the process ends in time, and nothing that was seen is lost.

import assert from 'node:assert/strict'

import { contentOf, sameState } from '../lib/content.mjs'
import { edits } from '../lib/edits.mjs'
import { served } from '../lib/raw.mjs'
import { generations, scenario } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'
import { Witness } from '../lib/witness.mjs'

const ROOMS = ['one', 'two', 'three']
const END_MS_MAX = 10_000
const RESTARTED = 1012

await scenario(async world => {
  const server = await world.serve()
  const proxy = await world.proxy(server)
  const witnesses = new Map(ROOMS.map(room => [room, new Witness()]))
  const people = ROOMS.flatMap(room => [0, 1, 2, 3].map(i =>
    world.join(proxy, room, { generation: generations[i % generations.length], witness: witnesses.get(room) })))
  const idle = await world.raw(server, 'idle').open()
  for (const person of people) await person.sync()

  world.tell('everyone types; in the middle of it the server is asked to end')
  let typing = true
  const typists = people.map(async person => {
    while (typing) {
      edits(world.rng, person.doc)
      await pause(1)
    }
  })
  await until(() => people.every(person => person.received > 50), 'the load is on')
  proxy.refuse()
  const { code, signal, ms } = await server.stop()
  assert.deepEqual({ code, signal }, { code: 0, signal: null })
  assert.ok(ms < END_MS_MAX, `it took ${ms} ms to end`)
  world.tell(`the server ended after ${ms.toFixed(0)} ms`)
  await until(() => people.every(person => !person.connected), 'everyone notices')
  typing = false
  await Promise.all(typists)
  for (const person of people) assert.equal(person.closes[0], RESTARTED, `${person} was told`)
  assert.equal(await idle.close(), RESTARTED, 'who did nothing was told too')

  world.tell('the folder is sound and holds what was seen')
  const { status, stderr } = server.command('verify')
  assert.equal(status, 0, `syncline verify: ${stderr}`)
  await server.start()
  for (const [room, witness] of witnesses) witness.assertKeptBy(await served(server.url, room))

  world.tell('everyone comes back by themselves, with what they typed meanwhile')
  proxy.open(server)
  for (const room of ROOMS) {
    const [one, ...others] = people.filter(person => person.room === room)
    await until(() => one.echoed && others.every(other => other.echoed && sameState(other.doc, one.doc)), 'all agree')
    for (const other of others) assert.deepStrictEqual(contentOf(other.doc), contentOf(one.doc))
  }
})
