// Edits made offline or while connecting, with each generation of Hocuspocus; and clients of every kind that ride
// through an orderly restart and through kill -9.

import assert from 'node:assert/strict'

import { contentOf, sameState } from '../lib/content.mjs'
import { edits } from '../lib/edits.mjs'
import { everyGeneration, hocuspocusGenerations, isReference, mixedPairs, pairs } from '../lib/generations.mjs'
import { servedToHocuspocus } from '../lib/raw.mjs'
import { scenario } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'
import { offline } from '../stories/offline.mjs'

const ROOMS = ['one', 'two']
const RESTARTED = 1012

/** Everyone is in both rooms: Hocuspocus over one socket. */
const enter = (world, place, generation) => {
  const socket = hocuspocusGenerations.includes(generation) ? world.socket(place, { generation }) : undefined
  return ROOMS.map(room => world.join(place, room, { generation, socket }))
}

const expectAgreement = async (server, people) => {
  for (const room of ROOMS) {
    const [one, ...others] = people.filter(person => person.room === room)
    const agree = () => one.echoed && others.every(other => other.echoed && sameState(other.doc, one.doc))
    await until(agree, `all agree about ${room}`)
    for (const other of others) assert.deepStrictEqual(contentOf(other.doc), contentOf(one.doc))
    assert.ok(sameState(await servedToHocuspocus(server, room), one.doc), `the server holds ${room}`)
  }
  for (const person of people) await person.confirm()
}

const rideThrough = async (world, server, proxy, people, end) => {
  let typing = true
  const typists = people.map(async person => {
    while (typing) {
      edits(world.rng, person.doc)
      await pause(5)
    }
  })
  const received = people.map(person => person.received)
  await until(() => people.every((person, i) => person.received > received[i] + 20), 'the load is on')
  proxy.refuse()
  await end()
  await until(() => people.every(person => !person.connected), 'everyone notices')
  await server.start()
  proxy.open(server)
  await until(() => people.every(person => person.synced), 'everyone is back')
  typing = false
  await Promise.all(typists)
  await expectAgreement(server, people)
}

const restarts = async world => {
  const server = await world.serve()
  const proxy = await world.proxy(server)
  const people = everyGeneration.flatMap(generation => enter(world, proxy, generation))
  for (const person of people) await person.sync()

  // The reference server says goodbye with a message that the second generation does not survive.
  if (!isReference) {
    world.tell('everyone types on while the server is restarted in good order')
    await rideThrough(world, server, proxy, people, () => server.stop())
    for (const person of people) assert.equal(person.closes[0], RESTARTED, `${person} was told`)
  }

  world.tell('and while it is killed')
  await rideThrough(world, server, proxy, people, () => server.kill())
}

await scenario(async world => {
  const [first] = hocuspocusGenerations
  const server = await world.serve()
  await Promise.all([
    offline(world.about('offline'), server, [...pairs(hocuspocusGenerations, [first]), ...mixedPairs.slice(0, 2)]),
    restarts(world.about('restart'))
  ])
})
