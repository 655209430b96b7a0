// The random test of Yjs itself, with a server between the clients: random edits, random disconnects, random moments
// of waiting, and at the end struct stores that are equal item by item.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'
import * as Y from 'yjs'
import { compareStructStores } from 'yjs/testHelper'

import { clocksOf, contentOf, sameState } from '../lib/content.mjs'
import { edits } from '../lib/edits.mjs'
import { served } from '../lib/raw.mjs'
import { generations, scenario, setting } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const USERS = 5
const ROUNDS = setting('SYNCLINE_RANDOM_ROUNDS', 40)
const EDITS = setting('SYNCLINE_RANDOM_EDITS', 120)

const disturb = async (rng, users) => {
  const user = prng.oneOf(rng, users)
  const luck = prng.int32(rng, 0, 99)
  if (luck < 3) {
    user.provider.disconnect()
  } else if (luck < 8) {
    user.provider.connect()
  } else if (luck < 10) {
    for (const each of users) if (each.provider.shouldConnect) await each.sync()
  } else if (luck < 40 && user.synced) {
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** A copy by its encoding: which neighbours are one struct then no longer depends on the order of arrival. */
const reloaded = doc => {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

const expectEqual = (a, b) => {
  assert.deepEqual(clocksOf(a), clocksOf(b))
  assert.deepStrictEqual(contentOf(a), contentOf(b))
  assert.ok(Y.equalDeleteSets(Y.createDeleteSetFromStructStore(a.store), Y.createDeleteSetFromStructStore(b.store)))
  assert.equal(a.store.pendingStructs, null)
  assert.equal(a.store.pendingDs, null)
  compareStructStores(reloaded(a).store, reloaded(b).store)
}

const playRound = async (world, server, room) => {
  const users = Array.from({ length: USERS }, (_, i) =>
    world.join(server, room, { generation: generations[i % generations.length] }))
  for (let i = 0; i < EDITS; i++) {
    await disturb(world.rng, users)
    edits(world.rng, prng.oneOf(world.rng, users).doc)
  }
  for (const user of users) user.provider.connect()
  for (const user of users) await user.sync()
  // Yjs itself deletes superfluous formats when edits of others arrive: the end is when all agree, not when each has.
  const agreed = () => users.every(user => sameState(user.doc, users[0].doc) && user.echoed)
  await until(agreed, () => `all agree: ${users.map(user => `${user} ${JSON.stringify(clocksOf(user.doc))}`).join('; ')}`)
  const fresh = await served(server.url, room)
  for (const user of users) expectEqual(user.doc, fresh)
  for (const user of users) world.leave(user)
}

await scenario(async world => {
  const server = await world.serve()
  world.tell(`${ROUNDS} rounds of ${USERS} users and ${EDITS} edits`)
  for (let round = 0; round < ROUNDS; round++) await playRound(world, server, `random ${round}`)
})
