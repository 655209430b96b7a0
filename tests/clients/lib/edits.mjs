// Random edits over every shared type, drawn from a seeded generator.

import * as prng from 'lib0/prng'
import * as Y from 'yjs'

import { rootsOf } from './content.mjs'

const WORDS = ['a', 'word', 'two words ', '😀', 'Straße', '\n', '世界', 'x'.repeat(40)]

const FORMATS = [{ bold: true }, { bold: null }, { italic: true }, { color: 'red' }, { link: { href: '#' } }]

const ROOT_LENGTH_MAX = 400
const TRIMMED_LENGTH = 200

const KEYS = ['one', 'two', 'three', 'four 🔑']

const place = (rng, length) => prng.int32(rng, 0, length)

/** A range with at least one element; the type is not empty. */
const range = (rng, length) => {
  const index = prng.int32(rng, 0, length - 1)
  return [index, prng.int32(rng, 1, Math.min(8, length - index))]
}

const primitive = rng => prng.oneOf(rng, [null, true, prng.int32(rng, -1000, 1000), prng.real53(rng), prng.word(rng)])

/** A plain value or a shared type. */
const value = rng => prng.int32(rng, 0, 9) < 7
  ? prng.oneOf(rng, [primitive(rng), { key: primitive(rng) }, [primitive(rng)], new Uint8Array([prng.int32(rng, 0, 255)])])
  : prng.oneOf(rng, [() => new Y.Map([['k', primitive(rng)]]), () => Y.Array.from([1, 'x']), () => new Y.Text('t')])()

/**
 * Where a text can be cut: everywhere but within a surrogate pair. Replicas of Yjs itself differ after concurrent edits
 * that cut one, since only some of them come to split it.
 */
const cutsOf = text => {
  const units = text.toDelta().flatMap(({ insert }) => typeof insert === 'string' ? insert.split('') : [''])
  return [...units.keys(), units.length].filter(i => !(units[i] >= '\uDC00' && units[i] <= '\uDFFF'))
}

/** Somewhere to insert. */
export const spot = (rng, text) => prng.oneOf(rng, cutsOf(text))

const span = (rng, text) => {
  const cuts = cutsOf(text)
  const [first, count] = range(rng, cuts.length - 1)
  return [cuts[first], cuts[first + count] - cuts[first]]
}

const TEXT = [
  (rng, text) => text.insert(spot(rng, text), prng.oneOf(rng, WORDS)),
  (rng, text) => text.insert(spot(rng, text), prng.oneOf(rng, WORDS), prng.oneOf(rng, FORMATS)),
  (rng, text) => text.insertEmbed(spot(rng, text), { image: prng.word(rng) }),
  (rng, text) => text.length > 0 && text.format(...span(rng, text), prng.oneOf(rng, FORMATS)),
  (rng, text) => text.length > 0 && text.delete(...span(rng, text))
]

const editText = (rng, text) => prng.oneOf(rng, TEXT)(rng, text)

const MAP = [
  (rng, map) => map.set(prng.oneOf(rng, KEYS), value(rng)),
  (rng, map) => map.delete(prng.oneOf(rng, KEYS)),
  (rng, map) => {
    const inner = map.get(prng.oneOf(rng, KEYS))
    if (inner instanceof Y.Map) inner.set('k', value(rng))
    if (inner instanceof Y.Text) editText(rng, inner)
  }
]

const ARRAY = [
  (rng, array) => array.insert(place(rng, array.length), [value(rng), value(rng)]),
  (rng, array) => array.push([primitive(rng)]),
  (rng, array) => array.length > 0 && array.delete(...range(rng, array.length)),
  (rng, array) => {
    const inner = array.length > 0 && array.get(prng.int32(rng, 0, array.length - 1))
    if (inner instanceof Y.Array) inner.push([value(rng)])
    if (inner instanceof Y.Map) inner.delete('k')
  }
]

const XML = [
  (rng, xml) => xml.insert(place(rng, xml.length), [new Y.XmlElement(prng.oneOf(rng, ['p', 'h1', 'li']))]),
  (rng, xml) => xml.insert(place(rng, xml.length), [new Y.XmlText(prng.oneOf(rng, WORDS))]),
  (rng, xml) => xml.length > 0 && xml.delete(prng.int32(rng, 0, xml.length - 1), 1),
  (rng, xml) => {
    const child = xml.length > 0 && xml.get(prng.int32(rng, 0, xml.length - 1))
    if (child instanceof Y.XmlElement) {
      child.setAttribute(prng.oneOf(rng, KEYS), prng.word(rng))
      if (child.length < 4) child.push([new Y.XmlText(prng.word(rng))])
    } else if (child instanceof Y.XmlText) editText(rng, child)
  }
]

/**
 * One random edit of one of the roots.
 *
 * @param {import('lib0/prng').PRNG} rng
 * @param {Y.Doc} doc
 */
export const edit = (rng, doc) => {
  const { text, map, array, xml } = rootsOf(doc)
  prng.oneOf(rng, [
    () => editText(rng, text),
    () => prng.oneOf(rng, MAP)(rng, map),
    () => prng.oneOf(rng, ARRAY)(rng, array),
    () => prng.oneOf(rng, XML)(rng, xml)
  ])()
}

/** One to four random edits, at times in one transaction. */
export const edits = (rng, doc) => {
  const several = () => {
    for (let i = prng.int32(rng, 1, 4); i > 0; i--) edit(rng, doc)
  }
  if (prng.bool(rng)) doc.transact(several)
  else several()
}

/** Takes from the front of a root that has become long, so that the last edits are as cheap as the first. */
export const trim = doc => {
  const { text, array, xml } = rootsOf(doc)
  if (text.length > ROOT_LENGTH_MAX) text.delete(0, cutsOf(text).find(cut => cut >= TRIMMED_LENGTH))
  for (const root of [array, xml]) {
    if (root.length > ROOT_LENGTH_MAX) root.delete(0, TRIMMED_LENGTH)
  }
}
