// People work with unmodified automerge-repo clients: they create and find documents, write at once, tell each other what is
// kept nowhere, come back, and find nothing where there is nothing.

import assert from 'node:assert/strict'
import { cbor } from '@automerge/automerge-repo'
import { WebSocket } from 'ws'
import * as prng from 'lib0/prng'

import { Memory, Person, agree, headsOf } from '../lib/automerge.mjs'
import { isQuick, scenario } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'

const MISSING = 'automerge:4NMNnkMhL8jXrdJ9jamS58PAVdXu'
const WRITERS = 8
const LARGE_BYTES = 3 << 20
/** Decoders divide by its bits an entry. */
const BLOOM_OF_NO_BITS = new Uint8Array([0x42, 0, 0, 1, 0, 3, 1, 0, 7, 0])
const IDLE_MS = 65_000

const person = (world, place, options) => world.keep(new Person(place, options))

const rejects = async (promise, within) => {
  const started = performance.now()
  await assert.rejects(promise, /unavailable/)
  assert.ok(performance.now() - started < within, `it took ${performance.now() - started} ms`)
}

await scenario(async world => {
  const server = await world.serve()
  const alice = person(world, server, { name: 'alice', storage: new Memory() })
  const bob = person(world, server, { name: 'bob' })

  world.tell('what one creates another finds')
  const ofAlice = await alice.create({ title: 'plans', list: [] })
  const ofBob = await bob.find(ofAlice.url)
  assert.equal(ofBob.doc().title, 'plans')
  ofBob.change(doc => doc.list.push('from bob'))
  await until(() => ofAlice.doc().list[0] === 'from bob', 'alice sees what bob wrote')

  world.tell('what nobody has is unavailable at once')
  await rejects(bob.find(MISSING), 3_000)

  world.tell(`${WRITERS} people write at once`)
  const writers = Array.from({ length: WRITERS }, (_, i) => person(world, server, { name: `writer-${i}` }))
  const handles = await Promise.all(writers.map(writer => writer.find(ofAlice.url)))
  for (let round = 0; round < 20; round++) {
    for (const handle of handles) handle.change(doc => doc.list.insertAt(prng.int32(world.rng, 0, doc.list.length), round))
    await pause(prng.int32(world.rng, 0, 5))
  }
  await agree([ofAlice, ofBob, ...handles], 'writers')
  assert.equal(ofAlice.doc().list.length, 1 + 20 * WRITERS)

  world.tell('what is told is heard once, and not by who has told it')
  for (const [i, writer] of writers.entries()) writer.listen(handles[i])
  alice.listen(ofAlice)
  ofAlice.broadcast({ cursor: 7 })
  ofAlice.broadcast({ cursor: 8 })
  await until(() => writers.every(writer => writer.told.length >= 2), 'everyone hears it')
  handles[0].broadcast({ done: true })
  await until(() => alice.told.length === 1, 'alice hears the answer')
  for (const writer of writers.slice(1)) {
    await until(() => writer.told.length === 3, 'others hear it, too')
    assert.deepEqual(writer.told.map(({ message }) => message), [{ cursor: 7 }, { cursor: 8 }, { done: true }])
    assert.equal(writer.told[0].senderId, 'alice')
  }
  assert.equal(writers[0].told.length, 2, 'nobody hears themselves')

  world.tell('a large document')
  const large = await alice.create({ blob: null })
  const bytes = Uint8Array.from({ length: LARGE_BYTES }, () => prng.int32(world.rng, 0, 255))
  large.change(doc => { doc.blob = bytes })
  const again = await person(world, server, { name: 'reader' }).find(large.url)
  await until(() => again.doc().blob?.length === LARGE_BYTES, 'it is there')
  const late = await person(world, server, { name: 'late-reader' }).find(large.url)
  assert.equal(late.doc().blob.length, LARGE_BYTES, 'in one piece')

  world.tell('two tabs share a storage')
  const storage = new Memory()
  const first = person(world, server, { name: 'tab-1', storage })
  const inFirst = await first.find(ofAlice.url)
  inFirst.change(doc => { doc.tab = 1 })
  await agree([ofAlice, inFirst], 'the first tab')
  const second = person(world, server, { name: 'tab-2', storage })
  const inSecond = await second.find(ofAlice.url)
  inSecond.change(doc => { doc.tab = 2 })
  inFirst.change(doc => { doc.other = 1 })
  await agree([ofAlice, inFirst, inSecond], 'both tabs')

  world.tell('someone comes back under the same name, while the server still holds the old connection')
  const proxy = await world.proxy(server)
  const carol = person(world, proxy, { name: 'carol', storage: new Memory() })
  const ofCarol = await carol.find(ofAlice.url)
  proxy.shut()
  ofCarol.change(doc => { doc.offline = true })
  ofAlice.change(doc => { doc.meanwhile = true })
  proxy.open(server)
  await agree([ofAlice, ofCarol], 'carol is back')
  assert.ok(carol.joins >= 2 && ofAlice.doc().offline && ofCarol.doc().meanwhile)

  world.tell('a Yjs editor is refused where an Automerge document is')
  const socket = new WebSocket(`${server.url}/${ofAlice.documentId}`)
  let closed
  socket.on('close', (code, reason) => { closed = { code, reason: String(reason) } })
  await until(() => closed, 'it is closed')
  assert.equal(closed.code, 4409)
  assert.match(closed.reason, /^other-kind/)

  world.tell('what is no frame closes its own connection only')
  const raw = new WebSocket(server.automerge)
  let gone
  raw.on('open', () => raw.send(Buffer.from([0xff, 0x00])))
  raw.on('close', code => { gone = code })
  await until(() => gone, 'it is closed')
  assert.equal(gone, 4400)

  world.tell('a message that would kill the decoder closes its own connection only')
  const evil = new WebSocket(server.automerge)
  const say = message => evil.send(cbor.encode(message))
  let refused
  evil.on('open', () => {
    say({ type: 'join', senderId: 'evil', peerMetadata: {}, supportedProtocolVersions: ['1'] })
    const documentId = ofAlice.documentId
    say({ type: 'sync', senderId: 'evil', targetId: 'server', documentId, data: BLOOM_OF_NO_BITS })
  })
  evil.on('close', (code, reason) => { refused = `${code} ${reason}` })
  await until(() => refused, 'it is closed')
  assert.equal(refused, '4422 bad-update: bloom')
  ofBob.change(doc => { doc.survived = true })
  await agree([ofAlice, ofBob], 'after that')

  if (!isQuick) {
    world.tell('nothing happens for more than a minute')
    const joins = [alice, bob].map(({ joins }) => joins)
    await pause(IDLE_MS)
    assert.deepEqual([alice, bob].map(({ joins }) => joins), joins, 'nobody was cut off')
    ofBob.change(doc => { doc.awake = true })
    await agree([ofAlice, ofBob], 'after the pause')
  }

  world.tell('a server that starts again has it all')
  const heads = headsOf(ofAlice)
  await until(() => headsOf(ofBob) === heads, 'bob has the last of it')
  assert.equal((await server.stop()).code, 0)
  const { status, stderr } = server.command('verify')
  assert.equal(status, 0, `syncline verify: ${stderr}`)
  await server.start()
  const after = await person(world, server, { name: 'after' }).find(ofAlice.url)
  assert.equal(headsOf(after), heads)
})
