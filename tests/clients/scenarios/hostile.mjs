// Strangers send bytes that kill decoders. Each is shown the door with the code that says why; nobody else notices,
// and the rooms open as before after a restart.

import assert from 'node:assert/strict'
import * as Y from 'yjs'

import { sameState } from '../lib/content.mjs'
import * as crafted from '../lib/crafted.mjs'
import * as frames from '../lib/frames.mjs'
import { BAD_UPDATE, DEPTH_MAX, HONEST, HOSTILE, IGNORED, TOO_LARGE, depthOf, levels, tooLarge } from '../lib/hostile.mjs'
import { served } from '../lib/raw.mjs'
import { isReference, scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

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
  attackers.large.socket._socket.write(tooLarge())
  if (!isReference) await expectClosed(attackers.large, TOO_LARGE, 'a large frame')
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
