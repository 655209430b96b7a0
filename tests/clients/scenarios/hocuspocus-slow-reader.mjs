// Readers stop reading while another client writes tens of megabytes into their document and they go on typing. Once they
// read again they are whole, and nothing of theirs is called unsaved: acknowledgements outlive a queue that was dropped.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'

import { contentOf, sameState } from '../lib/content.mjs'
import { generations, hocuspocusGenerations, isReference } from '../lib/generations.mjs'
import { scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const PIECE_BYTES = 64 << 10
const PIECES = 512
/** What the sockets of both sides and the server's own queue hold is still delivered. */
const CATCH_UP_BYTES_MAX = PIECES * PIECE_BYTES / 2
const QUIET = 'quiet'

const write = (client, words) => client.doc.getText('text').insert(0, words)

/** A reader in the stream and in a quiet document, both on one socket. */
const fallAsleep = async (world, server, generation) => {
  const socket = world.socket(server, { generation })
  const [stream, quiet] = ['stream', QUIET].map(room => world.join(server, room, { generation, socket }))
  await stream.confirm()
  await quiet.confirm()
  const { raw } = socket
  raw.pause()
  const bytes = () => raw._socket.bytesRead
  return { socket, raw, documents: [stream, quiet], asleep: bytes(), bytes }
}

/** Pieces that replace each other: much traffic, a small document. The sleepers type on meanwhile. */
const pour = async (writer, sleepers) => {
  for (let i = 0; i < PIECES; i++) {
    writer.doc.getMap('map').set('piece', randomBytes(PIECE_BYTES * 3 / 4).toString('base64'))
    if (i % 8 !== 7) continue
    for (const { documents } of sleepers) for (const document of documents) write(document, `${i} `)
    await writer.confirm()
  }
}

await scenario(async world => {
  const server = await world.serve()
  const writer = await world.join(server, 'stream', { generation: hocuspocusGenerations[0] }).confirm()
  const neighbours = [...generations, ...hocuspocusGenerations].map(generation => world.join(server, QUIET, { generation }))
  for (const neighbour of neighbours) await neighbour.sync()
  const sleepers = []
  for (const generation of hocuspocusGenerations) sleepers.push(await fallAsleep(world, server, generation))

  world.tell(`${sleepers.length} sockets fall asleep; ${PIECES} pieces of 64 KiB`)
  await pour(writer, sleepers)
  assert.deepEqual(writer.closes, [], 'the writer was not disturbed')
  const typed = neighbours[0].doc.getText('text')
  await until(() => typed.length === sleepers[0].documents[1].doc.getText('text').length * sleepers.length, 'what they typed is seen')
  for (const { documents } of sleepers) for (const document of documents) assert.ok(!document.confirmed, 'they cannot know')

  world.tell('they wake up, are whole, and have nothing unsaved')
  for (const { raw } of sleepers) raw.resume()
  for (const { documents: [stream, quiet], socket, asleep, bytes } of sleepers) {
    await until(() => sameState(stream.doc, writer.doc), `${stream} is whole`)
    await until(() => sameState(quiet.doc, neighbours[0].doc), `${quiet} is whole`)
    assert.deepStrictEqual(contentOf(stream.doc), contentOf(writer.doc))
    await stream.confirm()
    await quiet.confirm()
    for (const { provider } of [stream, quiet]) assert.equal(provider.unsyncedChanges, 0)
    assert.deepEqual(socket.closes, [], 'the socket stayed open')
    const late = bytes() - asleep
    world.tell(`${(late / 2 ** 20).toFixed(1)} MiB`)
    assert.ok(isReference || late < CATCH_UP_BYTES_MAX, `${late} bytes to catch up`)
  }

  world.tell('and they follow again')
  write(writer, 'awake')
  for (const { documents: [stream] } of sleepers) await until(() => sameState(stream.doc, writer.doc), `${stream} follows`)
})
