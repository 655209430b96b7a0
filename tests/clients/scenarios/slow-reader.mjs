// Readers stop reading while another client writes 128 MiB into their room. The memory of the server stays flat, the
// writer is not slowed, and once the readers read again they are whole with a fraction of the traffic.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import * as Y from 'yjs'

import * as frames from '../lib/frames.mjs'
import { isReference, scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const PIECE_BYTES = 64 << 10
/** So many that the cache of the store is full: what the document was is kept, so the store grows by every piece. */
const WARM_PIECES = 2048
const PIECES = 2048
/** Above what a process grows by without any reader, and well below what a queue that takes everything would hold. */
const GROWTH_BYTES_MAX = PIECES * PIECE_BYTES / 2
/** What the sockets of both sides and the server's own queue hold is still delivered. */
const CATCH_UP_BYTES_MAX = PIECES * PIECE_BYTES / 3

/**
 * Writes pieces that replace each other: much traffic, a small document. Resolves with the memory that the server has in the
 * second half of that: the median, since folding the log takes memory for a moment.
 */
const pour = async (server, writer, pieces) => {
  const sizes = []
  for (let i = 0; i < pieces; i++) {
    writer.doc.getMap('map').set('piece', randomBytes(PIECE_BYTES * 3 / 4).toString('base64'))
    if (i % 8 === 7) {
      await writer.echo()
      sizes.push(server.rss())
    }
  }
  await writer.echo()
  const late = sizes.slice(sizes.length / 2).sort((a, b) => a - b)
  return late[late.length >> 1]
}

/** A reader that has synced and then reads no more. */
const sleeper = async (world, server) => {
  const reader = await world.raw(server, 'stream').open()
  reader.send(frames.step1())
  await until(() => reader.ofKind('step2').length === 1, 'the reader is in sync')
  reader.socket.pause()
  reader.asleep = reader.frames.length
  return reader
}

const wake = async (reader, writer) => {
  const doc = new Y.Doc()
  let applied = 0
  reader.socket.resume()
  await until(() => {
    for (; applied < reader.frames.length; applied++) {
      const { kind, payload } = frames.read(reader.frames[applied])
      if (kind === 'step2' || kind === 'update') Y.applyUpdate(doc, payload)
    }
    return doc.getMap('map').get('piece') === writer.doc.getMap('map').get('piece')
  }, 'the reader is whole')
  return doc
}

await scenario(async world => {
  const server = await world.serve()
  const writer = await world.join(server, 'stream').sync()
  world.tell(`${WARM_PIECES} pieces of 64 KiB for a warm server`)
  const before = await pour(server, writer, WARM_PIECES)

  world.tell(`two readers fall asleep; ${PIECES} pieces more`)
  const readers = [await sleeper(world, server), await sleeper(world, server)]
  const after = await pour(server, writer, PIECES)
  const growth = (after - before) / 2 ** 20
  world.tell(`memory ${(before / 2 ** 20).toFixed(0)} MiB, then ${(after / 2 ** 20).toFixed(0)} MiB`)
  assert.deepEqual(writer.closes, [], 'the writer was not disturbed')
  assert.ok(isReference || after - before < GROWTH_BYTES_MAX, `the server grew by ${growth.toFixed(0)} MiB`)

  world.tell('the readers wake up and are whole')
  for (const reader of readers) {
    const doc = await wake(reader, writer)
    assert.equal(doc.store.pendingStructs, null)
    assert.equal(reader.closed, null, 'the reader kept its connection')
    const late = reader.frames.slice(reader.asleep)
    const bytes = late.reduce((sum, frame) => sum + frame.length, 0)
    world.tell(`${late.length} frames, ${(bytes / 2 ** 20).toFixed(1)} MiB`)
    assert.ok(isReference || bytes < CATCH_UP_BYTES_MAX, `${bytes} bytes to catch up`)
  }

  world.tell('and they follow again')
  for (const reader of readers) reader.awake = reader.frames.length
  writer.doc.getMap('map').set('last', 'word')
  for (const reader of readers) {
    await until(() => reader.frames.slice(reader.awake).some(frame => Buffer.from(frame).includes('word')), 'the word arrives')
  }
})
