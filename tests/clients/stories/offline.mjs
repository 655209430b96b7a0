// Edits that are made without a connection, or in the very moment in which it comes back, are merged like any others.

import assert from 'node:assert/strict'

import { contentOf, sameState } from '../lib/content.mjs'
import { isReference } from '../lib/generations.mjs'
import { until } from '../lib/until.mjs'

const textOf = client => client.doc.getText('text')

const expectSame = async (a, b, what) => {
  await until(() => sameState(a.doc, b.doc), () => `${what}: ${textOf(a)} | ${textOf(b)}`)
  assert.deepStrictEqual(contentOf(a.doc), contentOf(b.doc))
}

const expectLateJoiner = async (world, server, writer, generation) => {
  const late = world.join(server, writer.room, { generation })
  await expectSame(late, writer, 'a late joiner sees all of it')
  world.leave(late)
}

const bothOffline = async (world, server, generation, other) => {
  world.tell('both sides edit the same word while they are offline')
  const a = await world.join(server, `offline ${generation} ${other}`, { generation }).sync()
  const b = await world.join(server, `offline ${generation} ${other}`, { generation: other }).sync()
  textOf(a).insert(0, 'common')
  await expectSame(a, b, 'the common text is there')
  await a.disconnect()
  await b.disconnect()
  textOf(a).insert(0, 'from a, ')
  textOf(a).delete(textOf(a).length - 3, 3)
  a.doc.getMap('map').set('winner', 'a')
  textOf(b).insert(6, ' and b')
  b.doc.getMap('map').set('winner', 'b')
  textOf(b).delete(0, 3)
  a.connect()
  b.connect()
  await a.sync()
  await b.sync()
  await expectSame(a, b, 'both merge')
  assert.equal(textOf(a).toString(), 'from a,  and b')
  await expectLateJoiner(world, server, a, generation)
  world.leave(a)
  world.leave(b)
}

const whileConnecting = async (world, server, generation, other) => {
  world.tell('typed in the moment of connecting: the update overtakes the answer to Step1')
  const reader = await world.join(server, `moment ${generation} ${other}`, { generation: other }).sync()
  const writer = world.join(server, `moment ${generation} ${other}`, { generation, connect: false })
  textOf(writer).insert(0, 'before ')
  let typed = 0
  writer.onConnected(() => {
    textOf(writer).insert(textOf(writer).length, `then ${typed++} `)
    textOf(writer).delete(0, 2)
  })
  writer.connect()
  await expectSame(reader, writer, 'the reader sees what was typed')
  await writer.echo()
  for (const round of [1, 2, 3]) {
    await writer.disconnect()
    textOf(writer).insert(3, `offline ${round} `)
    writer.connect()
    await until(() => typed === round + 1, 'the writer is connected again')
    await expectSame(reader, writer, `the reader sees round ${round}`)
    await writer.echo()
  }
  await expectLateJoiner(world, server, writer, generation)
  world.leave(writer)
  world.leave(reader)
}

const overSlowNetwork = async (world, server, generation, other) => {
  world.tell('what the server says is long under way: many updates rest on edits that it does not have yet')
  const proxy = await world.proxy(server)
  const reader = await world.join(server, `slow ${generation} ${other}`, { generation: other }).sync()
  const writer = await world.join(proxy, `slow ${generation} ${other}`, { generation }).sync()
  textOf(writer).insert(0, 'known. ')
  await writer.echo()
  proxy.shut()
  await until(() => !writer.connected, 'the connection is lost')
  textOf(writer).insert(7, 'typed offline. ')

  proxy.hold()
  proxy.open(server)
  await until(() => writer.connected, 'the connection is back')
  for (let i = 0; i < 50; i++) {
    textOf(writer).insert(textOf(writer).length, `${i} `)
    if (i % 10 === 9) textOf(writer).delete(textOf(writer).length - 4, 2)
  }
  await until(() => writer.flushed, 'the updates are sent')
  assert.ok(!writer.synced, 'the network still holds what the server says')
  const there = textOf(reader).toString()
  assert.ok(isReference || there === 'known. ', `nothing is shown that rests on unknown edits: ${there}`)
  proxy.release()
  await expectSame(reader, writer, 'the reader sees everything')
  await writer.echo()
  await expectLateJoiner(world, server, writer, generation)
  assert.ok(writer.closes.length <= 2, `a gap is no reason to close: ${writer.closes}`)
  world.leave(writer)
  world.leave(reader)
}

/** @param {[string, string][]} pairs - of generations: who has been offline, and who else edits */
export const offline = async (world, server, pairs) => {
  for (const [generation, other] of pairs) {
    world.tell(`${generation} and ${other}`)
    await bothOffline(world, server, generation, other)
    await whileConnecting(world, server, generation, other)
    await overSlowNetwork(world, server, generation, other)
  }
}
