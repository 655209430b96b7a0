// Many documents on one socket, each apart from the others; messages to everyone in a document that are no part of it.

import assert from 'node:assert/strict'
import * as Y from 'yjs'

import { sameState } from '../lib/content.mjs'
import * as frames from '../lib/frames.mjs'
import { generations, hocuspocusGenerations, isReference } from '../lib/generations.mjs'
import { servedToHocuspocus } from '../lib/raw.mjs'
import { scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const DOCUMENTS = 20
const LEFT = 7
const STAYS = 8

const textOf = client => client.doc.getText('text').toString()

const write = (client, words) => client.doc.getText('text').insert(textOf(client).length, words)

/** Everything that was sent over the client's socket so far has been dealt with. */
const roundTrip = async client => {
  write(client, '.')
  await client.confirm()
  await client.echo()
}

const expectSame = (one, other) => until(() => sameState(one.doc, other.doc), `${one} and ${other} agree`)

class Building {
  constructor (world, server, generation) {
    Object.assign(this, { world, server, generation })
    this.names = Array.from({ length: DOCUMENTS }, (_, i) => `${generation} document ${i}`)
    this.sockets = [world.socket(server, { generation }), world.socket(server, { generation })]
    ;[this.here, this.there] = this.sockets.map(socket => this.names.map(name => this.join(name, socket)))
  }

  join (name, socket) {
    return this.world.join(this.server, name, { generation: this.generation, socket })
  }

  async writeEverywhere () {
    for (const client of [...this.here, ...this.there]) {
      write(client, `${client.room}, `)
      client.awareness.setLocalStateField('user', { name: client.room })
    }
    for (const client of [...this.here, ...this.there]) await client.confirm()
  }

  async expectApart () {
    for (const [i, name] of this.names.entries()) {
      const [one, other] = [this.here[i], this.there[i]]
      await expectSame(one, other)
      assert.equal(textOf(one), `${name}, ${name}, `)
      await until(() => one.present.length === 2 && other.present.length === 2, 'both are seen')
      const seen = [...one.awareness.getStates().values()].map(state => state.user.name)
      assert.deepEqual(seen, [name, name], 'nobody of another document is seen')
    }
  }

  /** One is left; the others go on, and nothing comes from the one any more. */
  async leaveOne () {
    const { address, doc } = this.here[LEFT]
    this.world.leave(this.here[LEFT])
    await until(() => !this.there[LEFT].present.includes(doc.clientID), 'who has left is not seen any more')
    await roundTrip(this.here[STAYS])
    const received = this.sockets[0].received.get(address)
    await roundTrip(this.there[LEFT])
    await roundTrip(this.there[STAYS])
    await roundTrip(this.here[STAYS])
    await expectSame(this.here[STAYS], this.there[STAYS])
    assert.equal(this.sockets[0].received.get(address), received, 'nothing comes from a document that was left')
    assert.equal(this.there[STAYS].present.length, 2, 'who stays is still seen')
  }

  async returnToIt () {
    this.here[LEFT] = await this.join(this.names[LEFT], this.sockets[0]).sync()
    this.here[LEFT].awareness.setLocalStateField('user', { name: 'back' })
    await until(() => this.there[LEFT].present.includes(this.here[LEFT].doc.clientID), 'who is back is seen')
    await expectSame(this.here[LEFT], this.there[LEFT])
    await roundTrip(this.here[LEFT])
    await expectSame(this.here[LEFT], this.there[LEFT])
  }
}

const manyDocuments = async (world, server, generation) => {
  world.tell(`${DOCUMENTS} documents on each of two sockets`)
  const building = new Building(world, server, generation)
  await building.writeEverywhere()
  await building.expectApart()
  world.tell('one of them is left, and entered again')
  await building.leaveOne()
  await building.returnToIt()
  for (const socket of building.sockets) assert.deepEqual(socket.closes, [], 'the sockets stay open')

  world.tell('a socket that breaks takes everyone on it along, out of every document')
  const gone = new Set()
  for (const other of building.there) other.awareness.on('change', ({ removed }) => removed.forEach(id => gone.add(id)))
  // Who is back at once is not seen leaving.
  building.sockets[0].provider.shouldConnect = false
  building.here[0].terminate()
  await until(() => building.here.every(one => gone.has(one.doc.clientID)), 'all who were cut off were seen leaving')
}

const twoSessions = async (world, server) => {
  world.tell('two sessions of one document on one socket')
  const socket = world.socket(server, { generation: 'hp4' })
  const session = () => world.join(server, 'sessions', { socket, sessionAwareness: true })
  const outsiders = [...generations.slice(0, 1), ...hocuspocusGenerations].map(generation =>
    world.join(server, 'sessions', { generation }))
  const [one, other] = [session(), session()]
  const everyone = [one, other, ...outsiders]
  everyone.forEach((client, i) => client.awareness.setLocalStateField('user', { name: i }))
  for (const client of everyone) await until(() => client.present.length === everyone.length, `${client} sees all`)
  write(one, 'one ')
  write(other, 'other ')
  await one.confirm()
  await other.confirm()
  for (const client of everyone) await until(() => textOf(client).length === 10, `${client} has the text`)

  world.tell('one of them ends')
  const { clientID } = one.doc
  world.leave(one)
  const rest = everyone.slice(1)
  for (const client of rest) await until(() => !client.present.includes(clientID), `${client} sees it leave`)
  for (const client of rest) assert.equal(client.present.length, rest.length, 'the other session is still there')
  write(outsiders[0], 'outsider')
  await until(() => textOf(other).endsWith('outsider'), 'the other session goes on')
  await roundTrip(other)
  assert.deepEqual(socket.closes, [])
}

const renewToken = async (world, server, generation) => {
  world.tell('a token is sent again, unasked')
  let asked = 0
  const client = await world.join(server, `token ${generation}`, { generation, token: async () => `token ${asked++}` }).sync()
  await client.provider.sendToken()
  assert.equal(asked, 2)
  await roundTrip(client)
  assert.deepEqual(client.closes, [])
  assert.equal(client.provider.authorizedScope, 'read-write')
}

/** Together they are less than what may wait for one document of a connection: beyond that they may be lost. */
const PAYLOADS = ['plain', '', JSON.stringify({ text: '😀 \u0000' }), 'x'.repeat(100_000)]

const sayAside = async (world, server) => {
  world.tell('what is no part of the document reaches all others in it, once, and nobody elsewhere')
  const room = 'stateless'
  const people = hocuspocusGenerations.flatMap(generation => [0, 1].map(() => world.join(server, room, { generation })))
  const editors = generations.map(generation => world.join(server, room, { generation }))
  const elsewhere = world.join(server, 'elsewhere', { generation: 'hp4', socket: people[0].socket })
  for (const person of [...people, ...editors, elsewhere]) await person.sync()
  for (const sender of people) {
    for (const person of people) person.stateless.length = 0
    for (const payload of PAYLOADS) sender.provider.sendStateless(payload)
    for (const person of people) {
      if (person === sender) continue
      await until(() => person.stateless.length >= PAYLOADS.length, `${person} hears ${sender}`)
      assert.deepEqual(person.stateless, PAYLOADS)
    }
    await roundTrip(sender)
    for (const person of people.filter(person => person !== sender)) await until(() => textOf(person) === textOf(sender), 'all follow')
    for (const person of people) assert.equal(person.stateless.length, person === sender ? 0 : PAYLOADS.length)
  }
  assert.deepEqual(elsewhere.stateless, [])
  for (const person of [...people, ...editors]) assert.deepEqual(person.closes, [], `${person} is not disturbed`)
}

const EDITS = 50

/** Ranges of clocks in an update, as text. */
const rangesOf = update => Y.decodeUpdate(update).structs.map(({ id, length }) => `${id.client}: ${id.clock} to ${id.clock + length}`)

const deliverOnce = async (world, server) => {
  world.tell('each edit arrives once at each address, and each is acknowledged once')
  const addresses = ['once', 'once\0session', 'once\0another']
  const reader = await world.rawHocuspocus(server).open()
  for (const address of addresses) reader.attach(address)
  for (const address of addresses) await reader.answerFor(address)
  const writer = await world.rawHocuspocus(server).open()
  writer.attach('once')
  await writer.begin('once')
  const doc = new Y.Doc()
  doc.on('update', update => writer.sendTo('once', frames.update(update)))
  for (let i = 0; i < EDITS; i++) {
    doc.getText('text').insert(i, 'x')
    await until(() => writer.statuses('once').length === i + 2, 'the edit is acknowledged')
  }
  const bystander = await servedToHocuspocus(server, 'once')
  assert.equal(bystander.getText('text').toString(), 'x'.repeat(EDITS))
  for (const address of addresses) {
    const ranges = () => reader.ofKind('update', address).flatMap(rangesOf)
    await until(() => ranges().length >= EDITS, `all arrive at ${JSON.stringify(address)}`)
    assert.equal(new Set(ranges()).size, EDITS)
    assert.equal(ranges().length, EDITS, 'nothing arrives twice')
  }
  assert.deepEqual(writer.statuses('once'), Array(EDITS + 1).fill(1))
}

await scenario(async world => {
  const server = await world.serve()
  await Promise.all([
    ...hocuspocusGenerations.map(generation => manyDocuments(world.about(generation), server, generation)),
    ...hocuspocusGenerations.filter(one => one !== 'hp2').map(one => renewToken(world.about(one), server, one)),
    deliverOnce(world, server),
    twoSessions(world, server),
    sayAside(world, server)
  ])
})
