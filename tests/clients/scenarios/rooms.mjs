// Names of rooms: what a person types is what the room is called, and two spellings of one name are one room.

import assert from 'node:assert/strict'
import * as Y from 'yjs'

import { served } from '../lib/raw.mjs'
import { generations, isReference, scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

/** Rooms as clients spell them, and the names that they mean. */
const ROOMS = {
  plain: 'plain',
  'a/b': 'a/b',
  'a/b/': 'a/b/',
  'a//b': 'a//b',
  ü: 'ü',
  'with space': 'with space',
  'plus+and&=,;:@$!*()\'~': 'plus+and&=,;:@$!*()\'~',
  '100%25': '100%',
  '%2525': '%25',
  '🦀 room': '🦀 room',
  [encodeURIComponent('#?..\\')]: '#?..\\',
  'b%FF': 'b%FF',
  'cut%C3': 'cut%C3',
  ['l'.repeat(256)]: 'l'.repeat(256),
  ['ü'.repeat(128)]: 'ü'.repeat(128),
  constructor: 'constructor'
}

/** Two spellings, one room. */
const SAME = [
  ['same/slash', 'same%2Fslash'],
  ['same ü', 'same%20%C3%BC'],
  ['sameA', 'same%41'],
  ['same%', 'same%25'],
  ['same%zz', 'same%25zz'],
  ['same%e2%82%ac', 'same€'],
  ['same%FF', 'same%25FF']
]

/** Two spellings, two rooms: decoded once, not twice; case and trailing slashes count. */
const DIFFERENT = [['two%2541', 'twoA'], ['two', 'Two'], ['two/x', 'two/x/'], ['two+x', 'two x'], ['zwei', 'zwei%20']]

const REFUSED = ['', 'l'.repeat(257), 'ü'.repeat(128) + 'x', 'null%00', 'line%0Abreak', 'delete%7F', 'c1%C2%85']

const textOf = client => client.doc.getText('text')

const writeOwnName = async (world, server, generation) => {
  for (const [spelling, name] of Object.entries(ROOMS)) {
    const writer = await world.join(server, spelling, { generation }).sync()
    textOf(writer).insert(0, `${name} `)
    await writer.echo()
    const reader = world.join(server, spelling, { generation })
    await until(() => textOf(reader).toString() === textOf(writer).toString(), `room ${spelling} has its text`)
    world.leave(writer)
    world.leave(reader)
  }
}

const expectOwnNames = (name, doc, times) =>
  assert.equal(doc.getText('text').toString(), `${name} `.repeat(times), `room ${name} holds its own text and no other`)

const meet = async (world, server, [a, b]) => {
  const one = await world.join(server, a).sync()
  const other = await world.join(server, b).sync()
  textOf(one).insert(0, 'x')
  await one.echo()
  textOf(other).insert(0, 'y')
  await other.echo()
  const met = async () => textOf(await joined(world, server, a)).length === 2
  return { one, other, met }
}

const joined = async (world, server, room) => await world.join(server, room).sync()

await scenario(async world => {
  const server = await world.serve()
  world.tell('each room is written to and read under an awkward name')
  for (const generation of generations) await writeOwnName(world, server, generation)
  if (isReference) return

  world.tell('two spellings of one name are one room')
  for (const pair of SAME) {
    const { one, other, met } = await meet(world, server, pair)
    await until(() => textOf(one).length === 2 && textOf(other).length === 2, `${pair} meet live`)
    assert.ok(await met(), `${pair} are one document`)
  }
  world.tell('two names are two rooms')
  for (const pair of DIFFERENT) {
    const { met } = await meet(world, server, pair)
    assert.ok(!await met(), `${pair} are two documents`)
  }

  world.tell('names that are empty, too long or hold control characters are refused before the upgrade')
  for (const spelling of REFUSED) {
    const status = await world.raw(server, spelling).answer()
    assert.ok(status >= 400 && status < 500, `room ${JSON.stringify(spelling)} was answered with ${status}`)
  }
  assert.equal(await world.raw(server, '').answer(), 404)

  world.tell('after a restart and in an export each name still holds its own document')
  await server.kill()
  await server.start()
  for (const [spelling, name] of Object.entries(ROOMS)) {
    expectOwnNames(name, await served(server.url, spelling), generations.length)
  }
  for (const client of [...world.clients]) world.leave(client)
  assert.equal((await server.stop()).code, 0)
  for (const name of Object.values(ROOMS)) {
    const { status, stdout, stderr } = server.command('doc', 'export', name)
    assert.equal(status, 0, `doc export ${name}: ${stderr}`)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, new Uint8Array(stdout))
    expectOwnNames(name, doc, generations.length)
  }
})
