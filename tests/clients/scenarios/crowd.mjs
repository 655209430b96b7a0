// 24 people edit everything at once and end with the same document.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'

import { clocksOf, contentOf, sameState } from '../lib/content.mjs'
import { edits } from '../lib/edits.mjs'
import { everyGeneration } from '../lib/generations.mjs'
import { servedToHocuspocus } from '../lib/raw.mjs'
import { scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const PEOPLE = 24
const ROUNDS = 40

await scenario(async world => {
  const server = await world.serve()
  world.tell(`${PEOPLE} clients join one room`)
  const crowd = Array.from({ length: PEOPLE }, (_, i) =>
    world.join(server, 'crowd', { generation: everyGeneration[i % everyGeneration.length] }))
  for (const client of crowd) await client.sync()

  world.tell(`${ROUNDS} rounds of random edits, while others come and go`)
  for (let round = 0; round < ROUNDS; round++) {
    for (const client of crowd) {
      if (prng.int32(world.rng, 0, 2) === 0) edits(world.rng, client.doc)
    }
    const passer = prng.oneOf(world.rng, crowd)
    const other = prng.oneOf(world.rng, crowd)
    const frames = other.received
    if (round % 5 === 4) await passer.disconnect()
    if (other.connected) await until(() => other.received > frames || !other.connected, 'something arrives')
    passer.connect()
  }

  world.tell('all converge')
  for (const client of crowd) await client.sync()
  const agreed = () => crowd.every(client => sameState(client.doc, crowd[0].doc) && client.confirmed)
  await until(agreed, () => `all agree: ${crowd.map(client => JSON.stringify(clocksOf(client.doc))).join('\n')}`)
  const fresh = await servedToHocuspocus(server, 'crowd')
  for (const client of crowd) {
    assert.ok(sameState(client.doc, fresh), `${client} and the server have the same`)
    assert.deepStrictEqual(contentOf(client.doc), contentOf(fresh), `content of ${client}`)
  }
})
