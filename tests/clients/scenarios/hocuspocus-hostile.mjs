// Strangers send bytes that kill decoders, on sockets with one document and with a hundred. The document that it
// concerns is closed for them, or their socket is; nobody else notices, not even their other documents.

import assert from 'node:assert/strict'
import * as Y from 'yjs'

import * as addressed from '../lib/addressed.mjs'
import { sameState } from '../lib/content.mjs'
import * as crafted from '../lib/crafted.mjs'
import * as frames from '../lib/frames.mjs'
import { generations, hocuspocusGenerations, isReference } from '../lib/generations.mjs'
import { BAD_UPDATE, HONEST, HOSTILE, IGNORED, MALFORMED, TOO_LARGE, levels, tooLarge } from '../lib/hostile.mjs'
import { servedToHocuspocus } from '../lib/raw.mjs'
import { scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const FORBIDDEN = 4403
const TOO_MANY_PENDING = 4205

/** What the word for a document is where a socket would get the code. */
const WORDS = { [MALFORMED]: 'malformed', [FORBIDDEN]: 'forbidden', [TOO_LARGE]: 'too-large', [BAD_UPDATE]: 'bad-update' }

const MANY = 100
/** Beyond what one socket may have open. */
const TOO_MANY = 300
const STATELESS_BYTES_MAX = 256 << 10

/** Versions that clients tell: those before the fourth generation none. */
const MODERN = '4.8.0'
const OLD = null

const REFUSED_NAMES = ['', ' ', '\t\n', '\u0000session', 'bell\u0007', 'delete\u007f', 'l'.repeat(257), 'ü'.repeat(128) + 'x']

const enter = async (world, server, addresses, version) => {
  const client = await world.rawHocuspocus(server).open()
  for (const address of addresses) client.attach(address, version)
  for (const address of addresses) await client.answerFor(address)
  return client
}

const stillAnswers = async (client, address) => {
  const answers = client.ofKind('step2', address).length
  client.sendTo(address, frames.step1())
  await until(() => client.ofKind('step2', address).length > answers || client.closed, 'Step1 is answered')
  assert.equal(client.closed, null, 'the socket stays open')
}

/** The document is closed for the client, or its socket is. Resolves with whether the socket lives. */
const expectRefused = async (client, address, code, what) => {
  await until(() => client.closed !== null || client.refusals(address).length > 0, `${what} is refused`)
  assert.deepEqual(client.statuses(address), [], `${what}: nothing is acknowledged of what is refused`)
  if (client.closed !== null) {
    assert.equal(client.closed, code, `${what}: closed with ${client.closed} ${client.reason}`)
    return false
  }
  assert.deepEqual(client.refusals(address).map(reason => reason.split(':')[0]), [WORDS[code]], what)
  return true
}

const send = (client, address, message) => typeof message === 'string' ? client.send(message) : client.sendTo(address, message)

/** One document a socket; providers of old are closed, since they cannot be told of the end of a document. */
const alone = async (world, server, version) => {
  for (const [what, [code, message]] of Object.entries(HOSTILE)) {
    const client = await enter(world, server, ['attacked'], version)
    send(client, 'attacked', message)
    if (isReference) continue
    const lives = await expectRefused(client, 'attacked', code, what)
    assert.ok(!lives || version !== OLD, `${what}: a provider of old does not survive what it was told`)
    world.leave(client)
  }
}

const among = async (world, server, version) => {
  const addresses = Array.from({ length: MANY }, (_, i) => `many ${i}`)
  let client = await enter(world, server, addresses, version)
  for (const [i, [what, [code, message]]] of Object.entries(HOSTILE).entries()) {
    send(client, addresses[i], message)
    if (isReference) continue
    if (await expectRefused(client, addresses[i], code, `${what} among ${MANY}`)) {
      await stillAnswers(client, addresses[i + 1])
      await stillAnswers(client, addresses[MANY - 1])
    } else {
      world.leave(client)
      client = await enter(world, server, addresses, version)
    }
  }
}

const ofTheDialect = async (world, server, witness) => {
  const client = await enter(world, server, ['attacked'])
  const odd = { ...IGNORED, 'an answer between servers': new Uint8Array([4, 0, 1, 0]), 'a token again': new Uint8Array([2, 0, 0]) }
  for (const [what, message] of Object.entries(odd)) {
    world.tell(what)
    client.sendTo('attacked', message)
    await stillAnswers(client, 'attacked')
  }
  world.tell('what concerns documents that it never opened')
  client.sendTo('never opened', addressed.CLOSING)
  client.sendTo('never opened', new Uint8Array([9, 1, 2, 3]))
  client.sendTo('never opened', new Uint8Array([2, 1, 0]))
  await stillAnswers(client, 'attacked')

  world.tell('what only servers may say, and too much of what clients may')
  const forger = await enter(world, server, ['attacked'])
  forger.sendTo('attacked', addressed.text(addressed.BROADCAST_STATELESS, 'forged'))
  if (!isReference) await expectRefused(forger, 'attacked', FORBIDDEN, 'a broadcast')
  const loud = await enter(world, server, ['attacked'])
  loud.sendTo('attacked', addressed.stateless('x'.repeat(STATELESS_BYTES_MAX + 1)))
  if (!isReference) await expectRefused(loud, 'attacked', TOO_LARGE, 'a long word')
  const large = await enter(world, server, ['attacked'])
  large.socket._socket.write(tooLarge())
  if (!isReference) assert.equal(await large.close(), TOO_LARGE)
  if (!isReference) assert.deepEqual(witness.stateless, [], 'nobody has heard of it')
}

const badFrames = {
  'no address': new Uint8Array(),
  'an address that does not end': crafted.bytes(0x80),
  'an address that is cut off': crafted.bytes(5, [0x61]),
  'an address that claims 2^28 bytes': crafted.bytes(crafted.uint(2 ** 28), 0),
  'an address that is not UTF-8': crafted.bytes(2, [0xc3, 0x28], 0, 0, 1, 0),
  'a token that is cut off': addressed.to('attacked', new Uint8Array([2, 0, 5, 0x61])),
  'a token of a megabyte': addressed.token('another', 'x'.repeat(1 << 20))
}

const badlyAddressed = async (world, server) => {
  for (const [what, frame] of Object.entries(badFrames)) {
    const client = await enter(world, server, ['attacked'])
    client.send(frame)
    if (isReference) continue
    const code = await client.close()
    assert.equal(code, what === 'a token of a megabyte' ? TOO_MANY_PENDING : MALFORMED, `${what}: ${code} ${client.reason}`)
  }
}

const badNames = async (world, server) => {
  const client = await enter(world, server, ['attacked'])
  for (const name of REFUSED_NAMES) {
    client.attach(name)
    client.sendTo(name, frames.update(crafted.update({}, crafted.text('lost'))))
    await until(() => client.refusals(name).length > 0, `the name ${JSON.stringify(name)} is refused`)
    assert.deepEqual(client.ofKind('step2', name), [])
    assert.deepEqual(client.statuses(name), [], 'what is not stored is not acknowledged')
  }
  await stillAnswers(client, 'attacked')
}

const tooManyDocuments = async (world, server) => {
  const client = await world.rawHocuspocus(server).open()
  for (let i = 0; i < TOO_MANY; i++) client.sendTo(`one of too many ${i}`, frames.step1())
  assert.equal(await client.close(), TOO_MANY_PENDING)
}

/** An unmodified editor is never told that it was saved; whether it tries again is its own affair. */
const pasteDeep = async (world, server, generation) => {
  const room = `pasted ${generation}`
  const editor = await world.join(server, room, { generation }).confirm()
  const other = await world.join(server, room, { generation: 'hp4' }).confirm()
  editor.doc.getText('text').insert(0, 'before')
  await editor.confirm()
  for (const update of levels(300, 'pasted')) Y.applyUpdate(editor.doc, update)
  const told = new Promise(resolve => editor.provider.on('close', resolve))
  await told
  assert.ok(!editor.confirmed, `${editor} must not say that it is saved`)
  other.doc.getText('text').insert(0, 'still ')
  await other.confirm()
  await until(async () => (await servedToHocuspocus(server, room)).getText('text').toString() === 'still before', 'others go on')
  world.leave(editor)
}

const witnesses = async (world, server) => {
  const rooms = ['attacked', 'many 0', `many ${MANY - 1}`]
  const all = rooms.flatMap(room => [...generations.slice(0, 1), ...hocuspocusGenerations].map(generation =>
    world.join(server, room, { generation })))
  for (const one of all) await one.sync()
  for (const one of all) one.doc.getText('text').insert(0, 'peace ')
  const odd = await enter(world, server, ['attacked'])
  await odd.begin('attacked')
  HONEST.forEach((struct, i) => odd.sendTo('attacked', frames.update(crafted.update({ client: 100 + i }, struct))))
  await until(() => odd.statuses('attacked').length === HONEST.length + 1, 'honest structs are acknowledged')
  for (const one of all) {
    await one.echo()
    await until(() => all.filter(other => other.room === one.room).every(other => sameState(other.doc, one.doc)), 'all agree')
  }
  return all
}

await scenario(async world => {
  const server = await world.serve()
  const watching = await witnesses(world, server)
  const before = watching.map(one => Y.snapshot(one.doc))

  world.tell('hostile messages of every kind')
  await Promise.all([
    ...[MODERN, OLD].flatMap(version => [alone(world, server, version), among(world, server, version)]),
    ofTheDialect(world.about('odd'), server, watching[1]),
    ...isReference ? [] : [badlyAddressed(world, server), badNames(world, server)],
    tooManyDocuments(world, server)
  ])
  if (isReference) return

  world.tell('unmodified editors paste 300 levels at once')
  await Promise.all(hocuspocusGenerations.map(generation => pasteDeep(world, server, generation)))

  world.tell('nobody else was disturbed')
  watching.forEach((one, i) => {
    assert.deepEqual(one.closes, [], `${one} kept its connection`)
    assert.ok(Y.equalSnapshots(Y.snapshot(one.doc), before[i]), `nothing hostile was relayed to ${one}`)
  })
  for (const one of watching) one.doc.getText('text').insert(0, 'still ')
  for (const one of watching) await one.confirm()

  world.tell('and after a restart every document is what it was')
  await until(() => watching.every(one => watching.filter(other => other.room === one.room).every(other => sameState(other.doc, one.doc))), 'all agree')
  await server.kill()
  await server.start()
  for (const one of watching) assert.ok(sameState(await servedToHocuspocus(server, one.room), one.doc), `${one.room} is what it was`)
})
