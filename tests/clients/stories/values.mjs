// Every kind of value that Yjs can hold reaches a peer that is there, one that comes later, and one that comes after
// a restart.

import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'

import { contentOf, rootsOf, sameState } from '../lib/content.mjs'
import { until } from '../lib/until.mjs'

const ANY = {
  null: null,
  undefined,
  true: true,
  false: false,
  zero: 0,
  one: 1,
  minusOne: -1,
  byte: 255,
  int31: 2 ** 31 - 1,
  int32: -(2 ** 31),
  int53: Number.MAX_SAFE_INTEGER,
  minusInt53: Number.MIN_SAFE_INTEGER,
  beyond53: 2 ** 60,
  float32: 1.5,
  float64: 0.1,
  tiny: Number.MIN_VALUE,
  huge: Number.MAX_VALUE,
  infinity: Infinity,
  minusInfinity: -Infinity,
  nan: NaN,
  negativeZero: -0,
  smallBigInt: 12n,
  bigInt: 2n ** 62n + 1n,
  minusBigInt: -(2n ** 63n) + 1n,
  roundBigInt: -(2n ** 63n),
  greatestBigInt: 2n ** 63n - 1n,
  emptyString: '',
  string: 'Grüße, 世界',
  surrogates: '😀👩‍👩‍👧‍👦 \u{1F1E9}\u{1F1EA}',
  controls: 'a\u0000b\tc\r\n\u2028',
  long: 'x'.repeat(70_000),
  emptyObject: {},
  emptyArray: [],
  nested: { a: [1, { b: [null, undefined, 'c', { d: [[[]]] }] }], '': { 'key with 😀': true } },
  nestedBytes: { bytes: new Uint8Array([1, 2, 3]) },
  array: [0, -1, 0.5, 'x', null, true, [2n ** 60n], { y: 1 }],
  nestedZero: { x: -0, y: [-0, 0, { z: -0 }], id: 7n }
}

const writeText = text => {
  text.insert(0, 'plain 😀 text')
  text.insert(5, ' bold', { bold: true })
  text.format(0, 5, { italic: true, color: { red: 255 } })
  text.format(2, 6, { italic: null })
  text.insertEmbed(text.length, { image: 'a.png', width: 12 }, { align: 'left' })
  text.insertEmbed(text.length, new Y.Map([['caption', 'nested in text']]))
  text.insert(text.length, 'gone')
  text.delete(text.length - 4, 4)
}

const writeMap = map => {
  for (const [key, value] of Object.entries(ANY)) map.set(key, value)
  map.set('', 'the empty key')
  map.set('ключ 🔑', 'a key beyond ASCII')
  map.set('replaced', 'old')
  map.set('replaced', 'new')
  map.set('deleted', 1)
  map.delete('deleted')
  map.set('bytes', new Uint8Array([0, 127, 128, 255]))
  map.set('noBytes', new Uint8Array())
  map.set('map', new Y.Map([['inner', new Y.Array()]]))
  map.get('map').get('inner').push([new Y.Text('deep'), { plain: 1 }])
  map.set('subdocument', new Y.Doc({ guid: 'guid-of-the-subdocument', meta: { title: 'Annex' } }))
  map.set('loaded', new Y.Doc({ guid: 'another-guid', autoLoad: true, gc: false, meta: [1n, -0, null] }))
}

const writeArray = array => {
  // Yjs takes undefined and BigInt in its maps and in plain arrays, but not as elements of its own arrays.
  array.push(Object.values(ANY).filter(value => value !== undefined && typeof value !== 'bigint'))
  array.push([new Uint8Array([9, 8]), new Y.Map(), new Y.Text('in an array'), new Y.XmlText('x'), new Y.Array()])
  array.insert(3, ['between', 1, { and: null }])
  array.delete(0, 2)
  array.push([new Y.Doc({ guid: 'in-an-array' })])
}

const writeXml = xml => {
  const paragraph = new Y.XmlElement('paragraph')
  xml.insert(0, [new Y.XmlText('before'), paragraph, new Y.XmlElement('hr')])
  paragraph.setAttribute('align', 'center')
  paragraph.setAttribute('level', 3)
  paragraph.setAttribute('style', { indent: [1, 2] })
  paragraph.setAttribute('removed', 'x')
  paragraph.removeAttribute('removed')
  const words = new Y.XmlText()
  paragraph.insert(0, [words, new Y.XmlElement('empty'), new Y.XmlFragment()])
  words.insert(0, 'bold words', { strong: { class: 'b' } })
  words.insert(10, ' and 😀')
  words.setAttribute('lang', 'de')
  xml.delete(0, 1)
}

const write = doc => {
  const { text, map, array, xml } = rootsOf(doc)
  writeText(text)
  writeMap(map)
  writeArray(array)
  writeXml(xml)
}

/** Cuts an emoji in two from outside: Yjs makes two replacement characters of it, and so must everyone. */
const cutEmoji = doc => {
  const { text } = rootsOf(doc)
  text.insert(0, '🙂🙃')
  text.insert(1, '|')
  text.delete(4, 1)
}

const expectSame = async (reader, writer, who) => {
  const same = () =>
    sameState(reader.doc, writer.doc) && isDeepStrictEqual(contentOf(reader.doc), contentOf(writer.doc))
  try {
    await until(same, who)
  } catch (error) {
    console.log(`${error.message}:`)
    assert.deepStrictEqual(contentOf(reader.doc), contentOf(writer.doc), error.message)
    throw error
  }
}

const play = async (world, server, writing, reading) => {
  const room = `values of ${writing} for ${reading}`
  const writer = await world.join(server, room, { generation: writing }).sync()
  const peer = await world.join(server, room, { generation: reading }).sync()
  world.tell(`${writing} writes every kind of value, one transaction each; ${reading} sees them equal`)
  write(writer.doc)
  await expectSame(peer, writer, 'the peer sees every value')
  assert.deepEqual([...peer.doc.getSubdocGuids()].sort(), ['another-guid', 'guid-of-the-subdocument', 'in-an-array'])

  world.tell('all of it again in one transaction, and the peer edits back')
  writer.doc.transact(() => write(writer.doc))
  await expectSame(peer, writer, 'the peer sees one large transaction')
  rootsOf(peer.doc).text.insert(3, ' from the peer ', { underline: true })
  rootsOf(peer.doc).map.get('map').get('inner').get(0).insert(0, 'very ')
  cutEmoji(peer.doc)
  await expectSame(writer, peer, 'the writer sees the edits of the peer')

  world.tell('a late joiner sees exactly the same')
  const late = world.join(server, room, { generation: reading })
  await expectSame(late, writer, 'the late joiner sees every value')
  await writer.echo()
  await peer.echo()
  for (const client of [peer, late]) world.leave(client)
  return { room, writer }
}

/** @param {[string, string][]} pairs - of generations: who writes, and who reads */
export const values = async (world, pairs) => {
  const server = await world.serve()
  const rooms = []
  for (const [writing, reading] of pairs) rooms.push(await play(world, server, writing, reading))

  world.tell('the server is killed; after its restart every room holds every value')
  for (const { writer } of rooms) await writer.disconnect()
  await server.kill()
  await server.start()
  for (const { room, writer } of rooms) {
    const { generation } = writer
    await expectSame(world.join(server, room, { generation }), writer, 'every value is there after the restart')
  }
}
