// For 65 seconds nothing happens: y-websocket gives up a connection on which it has heard nothing for 30 seconds, and
// a presence that was not renewed for as long. Nobody may lose either: not a lone client, not one without presence,
// not one of a crowd whose members repeat each other's presence.

import assert from 'node:assert/strict'

import { isReference, scenario } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'

const QUIET_MS = 65_000
const CROWD = 24

await scenario(async world => {
  const server = await world.serve()
  const generationOf = i => i % 2 === 0 ? 'yws3' : 'yws2'

  world.tell(`${CROWD} clients of both generations are in one room; four are alone, two of them without presence`)
  const crowd = Array.from({ length: CROWD }, (_, i) => world.join(server, 'crowd', { generation: generationOf(i) }))
  const lone = Array.from({ length: 4 }, (_, i) => world.join(server, `lone ${i}`, { generation: generationOf(i) }))
  for (const client of [...crowd, ...lone]) await client.sync()
  for (const client of lone.slice(2)) client.awareness.setLocalState(null)
  crowd.forEach((client, i) => client.awareness.setLocalStateField('user', { name: `member ${i}` }))
  for (const client of crowd) await until(() => client.present.length === CROWD, 'each sees all')

  const left = []
  for (const client of crowd) {
    client.awareness.on('change', ({ removed }) => removed.length > 0 && left.push(`${removed} for ${client}`))
  }
  world.tell(`${QUIET_MS / 1000} s pass`)
  await pause(QUIET_MS)

  world.tell('everyone is still there, on their first connection')
  // The reference server says nothing to who is alone without presence, and loses them.
  for (const client of [...crowd, ...lone.slice(0, isReference ? 2 : 4)]) {
    assert.deepEqual(client.closes, [], `${client} lost its connection`)
    assert.ok(client.connected && client.synced, `${client} is not connected`)
  }
  assert.deepEqual(left, [], 'presence was lost')
  for (const client of crowd) assert.equal(client.present.length, CROWD)

  world.tell('and an edit arrives')
  crowd[0].doc.getText('text').insert(0, 'awake')
  for (const client of crowd) await until(() => client.doc.getText('text').toString() === 'awake', 'the edit arrives')
})
