// For 65 seconds nothing happens: clients give up a connection on which they have heard nothing for 30 seconds, and
// a presence that was not renewed for as long. Nobody may lose either: not a lone client, not one without presence,
// not one of a crowd whose members repeat each other's presence, not a socket with many quiet documents.

import assert from 'node:assert/strict'

import { everyGeneration, hocuspocusGenerations, isReference } from '../lib/generations.mjs'
import { isQuick, scenario } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'

const QUIET_MS = 65_000
const CROWD = 24

/** Nobody's connection ends, and nobody is seen leaving. */
class Watch {
  constructor (clients) {
    this.clients = clients
    this.left = []
    for (const client of clients) {
      client.awareness?.on('change', ({ removed }) => removed.length > 0 && this.left.push(`${removed} for ${client}`))
    }
  }

  expectPeace () {
    for (const client of this.clients) {
      assert.deepEqual(client.closes, [], `${client} lost its connection`)
      assert.ok(client.connected && client.synced, `${client} is not connected`)
    }
    assert.deepEqual(this.left, [], 'presence was lost')
  }
}

/** One with presence, one that cleared it, and of Hocuspocus one that never had any. */
const aloneOf = (world, server, generation) => {
  const alone = [world.join(server, `alone ${generation}`, { generation })]
  // The reference servers say nothing to who is alone without presence, and lose them.
  if (isReference) return alone
  const cleared = world.join(server, `cleared ${generation}`, { generation })
  cleared.awareness.setLocalState(null)
  if (!hocuspocusGenerations.includes(generation)) return [...alone, cleared]
  return [...alone, cleared, world.join(server, `without ${generation}`, { generation, awareness: null })]
}

const shared = (world, server, generation) => {
  const socket = world.socket(server, { generation })
  return Array.from({ length: 3 }, (_, i) => world.join(server, `shared ${generation} ${i}`, { generation, socket }))
}

await scenario(async world => {
  if (isQuick) return world.tell('left out, since it takes more than a minute')
  const server = await world.serve()
  const generationOf = i => everyGeneration[i % everyGeneration.length]

  world.tell(`${CROWD} clients of all generations are in one room; others are alone, with and without presence`)
  const crowd = Array.from({ length: CROWD }, (_, i) => world.join(server, 'crowd', { generation: generationOf(i) }))
  const lone = everyGeneration.flatMap(generation => aloneOf(world, server, generation))
  const quiet = hocuspocusGenerations.flatMap(generation => shared(world, server, generation))
  for (const client of [...crowd, ...lone, ...quiet]) await client.sync()
  crowd.forEach((client, i) => client.awareness.setLocalStateField('user', { name: `member ${i}` }))
  for (const client of crowd) await until(() => client.present.length === CROWD, 'each sees all')

  const watch = new Watch([...crowd, ...lone, ...quiet])
  world.tell(`${QUIET_MS / 1000} s pass`)
  await pause(QUIET_MS)

  world.tell('everyone is still there, on their first connection')
  watch.expectPeace()
  for (const client of crowd) assert.equal(client.present.length, CROWD)

  world.tell('and an edit arrives')
  crowd[0].doc.getText('text').insert(0, 'awake')
  for (const client of crowd) await until(() => client.doc.getText('text').toString() === 'awake', 'the edit arrives')
})
