// Unmodified clients of y-sweet work together, with each other and with those of y-websocket; their programs read and write
// documents. A token allows what it was issued for, and ends; the client fetches the next one by itself.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as Y from 'yjs'

import { sameState } from '../lib/content.mjs'
import { scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'
import { YSweetClient, managerOf } from '../lib/y-sweet.mjs'

const APPLICATION = 'the secret of the application'
const ANN = 'the secret of ann'

const CONFIGURATION = `
[[token]]
secret = "${APPLICATION}"
user = "application"
grants = ["doc:*=write", "server=admin"]

[[token]]
secret = "${ANN}"
user = "ann"
grants = ["doc:plan-*=write", "doc:notes=read"]
`

const enter = (world, place, room, options) => world.keep(new YSweetClient(place, room, options))

const textOf = doc => doc.getText('text').toString()

const write = (client, words) => client.doc.getText('text').insert(textOf(client.doc).length, words)

const agree = async (...clients) => {
  await until(() => clients.every(client => sameState(client.doc, clients[0].doc)), 'all agree')
  return textOf(clients[0].doc)
}

const together = async (world, server) => {
  world.tell('two of y-sweet and one of y-websocket write')
  const people = [enter(world, server, 'plan'), enter(world, server, 'plan'), world.join(server, 'plan')]
  for (const person of people) await person.sync()
  for (const [i, person] of people.entries()) {
    write(person, `${i} `)
    person.awareness.setLocalStateField('user', { name: `person ${i}` })
  }
  for (const person of people) await person.confirm()
  assert.equal((await agree(...people)).length, 6)
  const names = person => [...person.awareness.getStates().values()].map(state => state.user?.name).sort().join()
  for (const person of people) await until(() => names(person) === 'person 0,person 1,person 2', `${person} sees all`)

  world.tell('one leaves and is seen no more')
  world.leave(people[1])
  await until(() => names(people[0]) === 'person 0,person 2', 'it is gone')
}

const apart = async (world, server) => {
  world.tell('two write while the network is gone; nothing of that is called saved')
  const proxy = await world.proxy(server)
  const people = [enter(world, proxy, 'apart'), enter(world, proxy, 'apart')]
  for (const person of people) await person.confirm()
  proxy.shut()
  await until(() => people.every(person => !person.connected), 'both notice')
  for (const [i, person] of people.entries()) for (const word of ['while ', 'offline ', `${i} `]) write(person, word)
  assert.ok(people.every(person => !person.confirmed))

  world.tell('they are back, and it is')
  proxy.open(server)
  for (const person of people) await person.confirm()
  const reader = await enter(world, server, 'apart').sync()
  assert.equal((await agree(reader, ...people)).length, 2 * 'while offline 0 '.length)
}

const programs = async (world, server) => {
  world.tell('programs create, write and read documents')
  const manager = managerOf(server)
  assert.deepEqual(await manager.checkStore(), { ok: true })
  const { docId } = await manager.createDoc()
  assert.match(docId, /^[A-Za-z0-9_-]+$/)
  assert.deepEqual(await manager.createDoc('by-programs'), { docId: 'by-programs' })
  const witness = await enter(world, server, 'by-programs').sync()
  const seed = new Y.Doc()
  seed.getText('text').insert(0, 'from a program')
  await manager.updateDoc('by-programs', Y.encodeStateAsUpdate(seed))
  await until(() => textOf(witness.doc) === 'from a program', 'whoever has it open sees it')
  const read = new Y.Doc()
  Y.applyUpdate(read, await manager.getDocAsUpdate('by-programs'))
  assert.ok(sameState(read, witness.doc))
  const made = await manager.createDocWithContent(Y.encodeStateAsUpdate(seed))
  const connection = await manager.getDocConnection(made)
  await connection.updateDoc(Y.encodeStateAsUpdate(seed))
  Y.applyUpdate(read, await connection.getAsUpdate())
  assert.equal(textOf(read), 'from a program')
}

const readOnly = async (world, server) => {
  world.tell('who may only read is seen, and changes nothing; nor is it told that it has saved anything')
  const [application, ann] = [managerOf(server, APPLICATION), managerOf(server, ANN)]
  const writer = await enter(world, server, 'notes', {
    issue: () => application.getOrCreateDocAndToken('notes', { userId: 'writer' })
  }).sync()
  write(writer, 'to be read')
  await writer.confirm()
  const readers = [
    enter(world, server, 'notes', { issue: () => application.getClientToken('notes', { authorization: 'read-only', userId: 'reader' }) }),
    enter(world, server, 'notes', { issue: () => ann.getClientToken('notes') })
  ]
  for (const reader of readers) {
    await reader.confirm()
    assert.equal(reader.given[0].authorization, 'read-only')
    await agree(reader, writer)
    reader.awareness.setLocalStateField('user', { name: 'somebody' })
    write(reader, ', not to be written')
  }
  const seen = client => [...writer.awareness.getStates().values()].some(state => state.user?.name === client)
  await until(() => seen('reader'), 'the reader is seen as who it is')
  write(writer, ' by everyone')
  for (const reader of readers) await until(() => textOf(reader.doc).includes(' by everyone'), 'the reader reads on')
  await writer.confirm()
  for (const reader of readers) {
    assert.ok(!reader.confirmed, 'what was not taken is not called saved')
    assert.deepEqual(reader.closes, [], 'and its connection stays')
  }
  assert.equal(textOf(writer.doc), 'to be read by everyone')
  await assert.rejects(ann.updateDoc('notes', Y.encodeStateAsUpdate(readers[1].doc)))
  await assert.rejects(ann.createDoc('secrets'))
  await assert.rejects(ann.getClientToken('secrets'))
  await assert.rejects(managerOf(server, 'no secret at all').getClientToken('notes'))
  await assert.rejects(managerOf(server).checkStore())
  for (const client of [writer, ...readers]) world.leave(client)
}

const renewal = async (world, server) => {
  world.tell('a token ends, and then the server; each time the client fetches another one and goes on')
  const ann = managerOf(server, ANN)
  const proxy = await world.proxy(server)
  const issue = async turn => {
    const given = await ann.getClientToken('plan-b', { validForSeconds: turn === 0 ? 1 : 600 })
    return { ...given, url: `${proxy.url.replace('/yjs', '')}/d/plan-b/ws` }
  }
  const client = await enter(world, proxy, 'plan-b', { issue }).sync()
  write(client, 'first ')
  await client.confirm()
  await until(() => client.given.length === 2 && client.connected, 'it has another token')
  assert.ok(client.closes.includes(4401), `${client.closes}`)
  write(client, 'second ')
  await client.confirm()
  return { client, proxy }
}

const afterRestart = async (world, server, { client, proxy }) => {
  // What the server knew of tokens is gone with it.
  await server.kill()
  await until(() => !client.connected, 'it notices')
  await server.start()
  proxy.open(server)
  // Its program asks the server where it is now.
  const ann = managerOf(server, ANN)
  client.provider.authEndpoint = async () => {
    const given = await ann.getClientToken('plan-b')
    return { ...given, url: `${proxy.url.replace('/yjs', '')}/d/plan-b/ws` }
  }
  write(client, 'third')
  await client.confirm()
  assert.equal(textOf(client.doc), 'first second third')
  const read = new Y.Doc()
  Y.applyUpdate(read, await ann.getDocAsUpdate('plan-b'))
  assert.equal(textOf(read), 'first second third')
}

await scenario(async world => {
  const open = await world.serve()
  const config = join(world.folder, 'syncline.toml')
  writeFileSync(config, CONFIGURATION)
  const guarded = await world.serve({ args: ['--config', config] })
  const renewed = renewal(world.about('renewal'), guarded)
  await Promise.all([
    together(world.about('together'), open),
    apart(world.about('apart'), open),
    programs(world.about('programs'), open),
    readOnly(world.about('read-only'), guarded)
  ])
  await afterRestart(world, guarded, await renewed)
})
