// Writes updates of every kind of content and of every form that yjs gives an update, beside this file.
// Run it with `npm i --no-save yjs@13.6.33 && node make.mjs`; every run writes the same bytes.
import { mkdirSync, writeFileSync } from 'node:fs'
import * as Y from 'yjs'

const folder = name => {
  const url = new URL(`${name}/`, import.meta.url)
  mkdirSync(url, { recursive: true })
  return (file, bytes) => writeFileSync(new URL(file, url), bytes)
}
const save = folder('yjs-updates')
const saveStateVector = folder('yjs-state-vectors')

const doc = (clientID, options = {}) => Object.assign(new Y.Doc({ guid: `doc-${clientID}`, ...options }), { clientID })

/** The update of a fresh document that `edit` changes. */
const made = (edit, clientID = 3405691582, options) => {
  const d = doc(clientID, options)
  edit(d)
  return Y.encodeStateAsUpdate(d)
}

// Values: every kind of lib0's Any.
const values = [
  null, true, false, 0, -0, 1, -1, 63, 64, -64, 2 ** 31 - 1, -(2 ** 31 - 1), 2 ** 31, -(2 ** 31), 2 ** 40,
  2 ** 53 - 1, 0.5, 1.1, -1e300, NaN, Infinity, -Infinity, Number.MAX_VALUE, 5e-324, [0n, -1n, 2n ** 62n],
  { u: undefined }, [undefined], '', 'a', 'ü🙂', '\u0000', 'x'.repeat(300), [], {}, [[[]]], { a: { b: [1, { c: null }] }, '': 0, '🙂': true },
  new Uint8Array([]), new Uint8Array([0, 255, 128])
]
const nested = depth => depth === 0 ? 1 : depth % 2 ? [nested(depth - 1)] : { k: nested(depth - 1) }
save('any-array', made(d => d.getArray('a').insert(0, values)))
save('any-map', made(d => values.forEach((v, i) => d.getMap('m').set(`k${i}`, v))))
save('any-deep', made(d => d.getArray('a').insert(0, [nested(64)])))
save('binary', made(d => d.getArray('a').insert(0, [new Uint8Array(1000), new Uint8Array()])))

// Text: formats, embeds, surrogate pairs, pairs cut in two.
save('text-formats', made(d => {
  const t = d.getText('t')
  t.insert(0, 'hello world')
  t.format(0, 5, { bold: true, link: { href: 'https://example.org/ü🙂' } })
  t.format(2, 5, { bold: null, size: 1.5, 'font-family': 'serif', list: [1, -2, 1e21, 1e-7] })
  t.insert(3, 'x', { italic: {} })
}))
save('text-embeds', made(d => {
  const t = d.getText('t')
  t.insertEmbed(0, { image: 'data:,', size: [0.1, 100, -3], nested: nested(8) })
  t.insertEmbed(0, [null, true])
  t.insertEmbed(0, 7)
  t.insertEmbed(0, new Y.Map([['k', 'v']]))
  t.applyDelta([{ retain: 2 }, { insert: { formula: '\\e \u2028 \u0001 "' }, attributes: { a: 1 } }])
}))
save('text-emoji', made(d => {
  const t = d.getText('t')
  t.insert(0, 'a🙂b👩‍👩‍👧c')
  t.delete(2, 1) // cuts the first pair
  t.insert(4, 'é')
  t.delete(0, 2)
}))
save('text-gc', made(d => {
  const t = d.getText('t')
  for (let i = 0; i < 50; i++) t.insert(i % 7, `${i} `)
  for (let i = 0; i < 20; i++) t.delete(i, 2)
}))

// Types in types, deleted types (GC), root types of each kind, parents by id and by name, parentSub.
save('types', made(d => {
  const m = d.getMap('m')
  const a = m.set('a', new Y.Array())
  a.push([new Y.Map(), new Y.Text('t'), new Y.Array(), new Y.XmlFragment(), new Y.XmlElement('p'), new Y.XmlText('x')])
  a.get(0).set('deep', new Y.Map([['', new Y.Array()]]))
  m.set('gone', new Y.Map([['x', new Y.Text('deleted with its parent')]]))
  m.set('gone', 1)
  m.delete('gone')
}))
const xml = d => {
  const f = d.getXmlFragment('')
  const p = new Y.XmlElement('paragraph')
  const t = new Y.XmlText('text')
  f.insert(0, [p, new Y.XmlElement('img')])
  p.setAttribute('align', 'left')
  p.insert(0, [t, new Y.XmlElement('br')])
  t.format(1, 2, { em: {} })
  f.get(1).setAttribute('src', '')
  f.delete(1, 1)
}
save('xml', made(xml))
save('xml-no-gc', made(xml, 5, { gc: false }))
save('subdocuments', made(d => {
  const m = d.getMap('docs')
  m.set('plain', new Y.Doc({ guid: 'a' }))
  m.set('all', new Y.Doc({ guid: 'b', collectionid: 'c', gc: false, autoLoad: true, meta: { title: 'T', n: [1] } }))
  m.set('gone', new Y.Doc({ guid: 'd' }))
  m.delete('gone')
}))

// Many clients, concurrently; deletions of each other's text; ids of 1, 32 and 53 bits.
const peers = [1, 2 ** 32 - 1, 2 ** 53 - 1, 77].map(id => doc(id))
const exchange = () => peers.forEach(a => peers.forEach(b => Y.applyUpdate(a, Y.encodeStateAsUpdate(b))))
for (let round = 0; round < 5; round++) {
  peers.forEach((p, i) => {
    p.getText('t').insert(Math.min(round + i, p.getText('t').length), `[${i}:${round}]`)
    p.getMap('m').set('winner', i)
    if (round > 1) p.getText('t').delete(i, 3)
  })
  exchange()
}
const all = Y.encodeStateAsUpdate(peers[0])
save('clients', all)
save('clients-diff', Y.encodeStateAsUpdate(peers[0], Y.encodeStateVector(new Map([[1, 5], [2 ** 32 - 1, 7]]))))
saveStateVector('clients', Y.encodeStateVector(peers[0]))

// Every update on its own, merged with gaps (Skip), and what a document with pending structs says of itself.
const updates = []
const typist = doc(20)
typist.on('update', u => updates.push(u))
for (let i = 0; i < 10; i++) typist.getText('t').insert(i, 'ab')
typist.getText('t').delete(3, 5)
typist.getMap('m').set('k', 1)
typist.getMap('m').delete('k')
save('single-first', updates[0])
save('single-delete', updates[10])
save('merged', Y.mergeUpdates(updates))
save('merged-skips', Y.mergeUpdates(updates.filter((_, i) => i % 3 !== 1)))
save('merged-starts-late', Y.mergeUpdates(updates.slice(4)))
const late = doc(21)
Y.applyUpdate(late, updates[0])
Y.applyUpdate(late, updates[4])
Y.applyUpdate(late, updates[10])
save('pending', Y.encodeStateAsUpdate(late))
saveStateVector('pending', Y.encodeStateVector(late))
save('empty', Y.encodeStateAsUpdate(doc(1)))
saveStateVector('empty', Y.encodeStateVector(doc(1)))
save('diff-mid-struct', Y.diffUpdate(all, Y.encodeStateVector(new Map([[1, 3], [77, 1]]))))
