// Large documents: pasted at once or grown in pieces, as text and as bytes.

import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'

import { sameState } from '../lib/content.mjs'
import { generations, scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const SIZE = 4 << 20
const PIECE = 64 << 10

/** Characters that do not repeat, so that nothing can make them small. */
const prose = length => randomFillSync(Buffer.alloc(length * 3 / 4)).toString('base64').slice(0, length)

const expectSame = async (client, writer, what) => {
  await until(() => sameState(client.doc, writer.doc), what)
  assert.equal(client.doc.getText('text').toString(), writer.doc.getText('text').toString(), what)
  const bytes = writer.doc.getMap('map').get('bytes')
  if (bytes) assert.ok(Buffer.from(client.doc.getMap('map').get('bytes')).equals(Buffer.from(bytes)), what)
}

const play = async (world, server, generation) => {
  const room = `large ${generation}`
  const writer = await world.join(server, room, { generation }).sync()
  const peer = await world.join(server, room, { generation }).sync()
  world.tell(`${generation}: one update of 4 MiB text, one of 4 MiB bytes`)
  writer.doc.getText('text').insert(0, prose(SIZE))
  await expectSame(peer, writer, 'the peer has the text')
  writer.doc.getMap('map').set('bytes', randomFillSync(new Uint8Array(SIZE)))
  await expectSame(peer, writer, 'the peer has the bytes')

  world.tell('4 MiB more in pieces, from both sides')
  for (let i = 0; i < SIZE / PIECE; i++) {
    const text = (i % 2 === 0 ? writer : peer).doc.getText('text')
    text.insert(i * 7, prose(PIECE))
  }
  await expectSame(peer, writer, 'the peer has the pieces')
  await expectSame(writer, peer, 'the writer has the pieces')

  world.tell('a late joiner gets all of it, and edits')
  const late = await world.join(server, room, { generation }).sync()
  await expectSame(late, writer, 'the late joiner has all')
  late.doc.getText('text').insert(SIZE / 2, 'late')
  await expectSame(writer, late, 'the edit of the late joiner arrives')
  await writer.echo()
  await late.echo()
  for (const client of [peer, late]) world.leave(client)
  writer.provider.disconnect()
  return writer
}

await scenario(async world => {
  const server = await world.serve()
  const writers = []
  for (const generation of generations) writers.push(await play(world, server, generation))
  world.tell('after a kill and a restart it is all there')
  await server.kill()
  await server.start()
  for (const writer of writers) {
    const reader = await world.join(server, writer.room).sync()
    await expectSame(reader, writer, 'the document survived')
  }
})
