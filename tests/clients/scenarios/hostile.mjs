// Strangers send bytes that kill decoders. Each is shown the door with the code that says why; nobody else notices,
// and the rooms open as before after a restart.

import assert from 'node:assert/strict'
import * as Y from 'yjs'

import { sameState } from '../lib/content.mjs'
import * as crafted from '../lib/crafted.mjs'
import * as frames from '../lib/frames.mjs'
import { served } from '../lib/raw.mjs'
import { isReference, scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const MALFORMED = 4400
const TOO_LARGE = 4413
const BAD_UPDATE = 4422

const MESSAGE_BYTES_MAX = 64 << 20
const DEPTH_MAX = 256
const CLOCK_MAX = 2 ** 31 - 1

const { bytes, uint } = crafted

const bad = update => [BAD_UPDATE, frames.update(update)]

/** Frames, and the code with which their sender is closed. */
const HOSTILE = {
  'an empty frame': [MALFORMED, bytes()],
  'a type that does not end': [MALFORMED, bytes(0x80)],
  'a sync message without a kind': [MALFORMED, bytes(0)],
  'a sync message without a body': [MALFORMED, bytes(0, 2)],
  'a body that is cut off': [MALFORMED, bytes(0, 2, 12, 1, 1)],
  'a body that claims 2^28 bytes': [MALFORMED, bytes(0, 2, uint(2 ** 28), 0)],
  'a length beyond 64 bits': [MALFORMED, bytes(0, 2, Array(12).fill(0xff))],
  'presence that is cut off': [MALFORMED, bytes(1, 13, 1, 13)],
  text: [MALFORMED, 'hello'],
  'a state vector of 2^28 clients': [MALFORMED, bytes(0, 0, 5, uint(2 ** 28))],
  'a state vector that is cut off': [MALFORMED, bytes(0, 0, 2, 5, 1)],
  'an update that is cut off': bad(crafted.update({}, crafted.text('hi')).subarray(0, 8)),
  'an update with something after it': bad(bytes(crafted.update({}, crafted.text('hi')), 0)),
  'an update of 2^28 clients': bad(bytes(uint(2 ** 28))),
  'an update of 2^28 structs': bad(bytes(1, uint(2 ** 28), 1, 0)),
  'arrays 8,000 deep': bad(crafted.update({}, crafted.nestedAny(8_000))),
  'arrays 1,000,000 deep': bad(crafted.update({}, crafted.nestedAny(1_000_000))),
  'objects 8,000 deep': bad(crafted.update({}, crafted.nestedObjects(8_000))),
  'an embed 100,000 deep': bad(crafted.update({}, crafted.nestedEmbed(100_000))),
  'a format 100,000 deep': bad(crafted.update({}, crafted.nestedFormat(100_000))),
  'options of a subdocument 8,000 deep': bad(crafted.update({}, crafted.nestedDocument(8_000))),
  'content of Yjs 12': bad(crafted.update({}, crafted.legacyJson('1', 'undefined'))),
  'legacy content with nothing in it': bad(crafted.update({}, crafted.legacyJson())),
  'content of no kind': bad(crafted.update({}, crafted.unknownContent)),
  'text that is not UTF-8': bad(crafted.update({}, crafted.invalidText)),
  'a clock at the end of time': bad(crafted.update({ clock: CLOCK_MAX - 2 }, crafted.text('too long'))),
  'a struct as long as time': bad(crafted.update({}, crafted.collected(2 ** 31))),
  'a struct longer than that': bad(crafted.update({}, crafted.collected(2 ** 40))),
  'a deletion beyond the end of time': bad(crafted.deletion({ clock: CLOCK_MAX - 1, length: 10 })),
  'the same as an answer to Step1': [BAD_UPDATE, frames.step2(crafted.update({}, crafted.nestedAny(8_000)))]
}

/** The same shapes within bounds: what is refused is refused for its depth or length, not for its form. */
const HONEST = [
  crafted.text('hi'),
  crafted.nestedAny(32),
  crafted.nestedObjects(32),
  crafted.nestedEmbed(32),
  crafted.nestedFormat(32),
  crafted.nestedDocument(32),
  crafted.collected(5)
]

/** Odd, but no reason to close: of another protocol, or of a later one. */
const IGNORED = {
  'a type nobody knows': bytes(9, 1, 2, 3),
  'a type of y-sweet': bytes(102, 1, 5),
  'a large type': bytes(uint(2 ** 31), 0),
  'presence of nobody': frames.awareness([]),
  'an empty update': frames.update(bytes(0, 0)),
  'an empty state vector': frames.step1()
}

const stillAnswers = async client => {
  const answers = client.ofKind('step2').length
  client.send(frames.step1())
  await until(() => client.ofKind('step2').length > answers || client.closed, 'Step1 is answered')
  assert.equal(client.closed, null, 'the connection stays open')
}

const expectClosed = async (attacker, code, what) => {
  const closed = await attacker.close()
  assert.equal(closed, code, `${what}: closed with ${closed} ${attacker.reason}`)
}

const sendHostileFrames = async (world, attackers) => {
  for (const [what, [code, frame]] of Object.entries(HOSTILE)) {
    world.tell(what)
    attackers[what].send(frame)
    if (!isReference) await expectClosed(attackers[what], code, what)
  }
  world.tell('a frame that announces more than the limit')
  const header = Buffer.alloc(14)
  header.writeUInt8(0x82)
  header.writeUInt8(0xff, 1)
  header.writeBigUInt64BE(BigInt(MESSAGE_BYTES_MAX + 1), 2)
  attackers.large.socket._socket.write(Buffer.concat([header, Buffer.alloc(64 << 10)]))
  if (!isReference) await expectClosed(attackers.large, TOO_LARGE, 'a large frame')
}

/** One level of nesting an update, as an honest editor would write it, below a key of the root. */
const levels = (count, key = 'x') => {
  const doc = new Y.Doc()
  const updates = []
  doc.on('update', update => updates.push(update))
  let map = doc.getMap('deep').set(key, new Y.Map())
  for (let i = 1; i < count; i++) map = map.set('x', new Y.Map())
  return updates
}

const depthOf = doc => {
  let depth = 0
  for (let map = doc.getMap('deep'); map; map = map.get('x')) depth++
  return depth - 1
}

const digDeep = async (world, attackers, witness) => {
  world.tell('8,000 levels of shared types, one an update')
  const updates = levels(8_000)
  for (const update of updates) attackers.digger.send(frames.update(update))
  await expectClosed(attackers.digger, BAD_UPDATE, 'nesting without end')
  await until(() => depthOf(witness.doc) >= DEPTH_MAX - 2, 'the levels that are allowed are seen')
  const reached = depthOf(witness.doc)
  assert.ok(reached <= DEPTH_MAX, `${reached} levels were let through`)

  world.tell('another goes on where the first was stopped')
  for (const update of updates.slice(reached)) attackers.second.send(frames.update(update))
  await expectClosed(attackers.second, BAD_UPDATE, 'one more level')
  assert.equal(depthOf(witness.doc), reached)
  return reached
}

/** An unmodified editor that was told 44xx keeps its text and does not come again. */
const expectGivenUp = async editor => {
  await until(() => editor.closes.length > 0, 'the editor is closed')
  assert.deepEqual(editor.closes, [BAD_UPDATE])
  assert.equal(editor.provider.shouldConnect, false, 'y-websocket 3.1 gives up')
}

const pasteDeep = async (world, editor) => {
  world.tell('an unmodified editor pastes 300 levels at once')
  for (const update of levels(300, 'pasted')) Y.applyUpdate(editor.doc, update)
  await expectGivenUp(editor)
}

/** The server's implementation of Yjs does not read the name of a hook, so that it could not give it to anyone. */
const insertHook = async (world, editor, witness) => {
  world.tell('an unmodified editor inserts a hook')
  editor.doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('before')])
  await editor.echo()
  editor.doc.getXmlFragment('xml').insert(1, [new Y.XmlHook('custom')])
  await expectGivenUp(editor)
  await stillAnswers(witness)
  const names = witness.ofKind('update').some(update => Buffer.from(update).includes('custom'))
  assert.ok(!names, 'the hook was not relayed')
}

await scenario(async world => {
  const server = await world.serve()
  const witness = await world.join(server, 'attacked').sync()
  const neighbour = await world.join(server, 'next door').sync()
  const deep = await world.join(server, 'deep').sync()
  const editors = [await world.join(server, 'deep').sync(), await world.join(server, 'hook').sync()]
  const hookWitness = await world.raw(server, 'hook').open()
  witness.doc.getText('text').insert(0, 'peace')
  await witness.echo()

  world.tell('everyone is in their room')
  const attackers = { digger: await world.raw(server, 'deep').open(), second: await world.raw(server, 'deep').open() }
  for (const what of [...Object.keys(HOSTILE), 'large', 'odd']) attackers[what] = await world.raw(server, 'attacked').open()
  HONEST.forEach((struct, i) => attackers.odd.send(frames.update(crafted.update({ client: 100 + i }, struct))))
  await until(() => HONEST.every((_, i) => Y.getState(witness.doc.store, 100 + i) > 0), 'honest structs are relayed')
  const before = Y.snapshot(witness.doc)

  for (const [what, frame] of Object.entries(IGNORED)) {
    world.tell(what)
    attackers.odd.send(frame)
    await stillAnswers(attackers.odd)
  }
  await sendHostileFrames(world, attackers)
  if (isReference) return
  await stillAnswers(attackers.odd)
  assert.deepEqual(witness.closes, [], 'the witness kept its connection')
  assert.ok(Y.equalSnapshots(Y.snapshot(witness.doc), before), 'nothing hostile was relayed')

  const reached = await digDeep(world, attackers, deep)
  await pasteDeep(world, editors[0])
  assert.equal(depthOf(deep.doc), reached, 'nothing deeper was relayed')
  await insertHook(world, editors[1], hookWitness)

  world.tell('life goes on, here and next door, also for newcomers')
  neighbour.doc.getText('text').insert(0, 'hello')
  await neighbour.echo()
  witness.doc.getText('text').insert(5, ' again')
  await witness.echo()
  deep.doc.getMap('deep').delete('x')
  await deep.echo()
  deep.doc.getText('text').insert(0, 'after')
  await deep.echo()
  const newcomer = await world.join(server, 'next door').sync()
  assert.equal(newcomer.doc.getText('text').toString(), 'hello')
  for (const client of [witness, neighbour, deep]) assert.deepEqual(client.closes, [], `${client} kept its connection`)
  assert.equal(server.exit, null, 'the server lives')

  world.tell('and after a restart')
  await server.kill()
  await server.start()
  for (const [room, client] of [['attacked', witness], ['next door', neighbour], ['deep', deep]]) {
    assert.ok(sameState(await served(server.url, room), client.doc), `room ${room} is what it was`)
  }
  const beforeHook = await served(server.url, 'hook')
  assert.equal(beforeHook.getXmlFragment('xml').toString(), '<before></before>')
})
