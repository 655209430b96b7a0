// Content of documents in a form that `assert.deepStrictEqual` compares exactly: it tells -0 from 0, 1n from 1,
// undefined from absent, and bytes from arrays.

import * as Y from 'yjs'

/** The value of a shared type or of anything stored in one. */
export const valueOf = value => {
  if (value instanceof Y.Doc) {
    const { guid, meta, gc, autoLoad } = value
    return { document: guid, meta, gc, autoLoad }
  }
  if (value instanceof Y.XmlText || value instanceof Y.Text) {
    return { text: value.toDelta().map(({ insert, attributes }) => ({ insert: valueOf(insert), attributes })) }
  }
  if (value instanceof Y.Array) return { array: value.toArray().map(valueOf) }
  if (value instanceof Y.XmlHook) return { hook: value.hookName, entries: entriesOf(value.entries()) }
  if (value instanceof Y.Map) return { map: entriesOf(value.entries()) }
  if (value instanceof Y.XmlElement) {
    return { element: value.nodeName, attributes: value.getAttributes(), children: value.toArray().map(valueOf) }
  }
  if (value instanceof Y.XmlFragment) return { children: value.toArray().map(valueOf) }
  return value
}

const entriesOf = entries => Object.fromEntries([...entries].map(([key, value]) => [key, valueOf(value)]))

/** The roots that scenarios write to. */
export const rootsOf = doc => ({
  text: doc.getText('text'),
  map: doc.getMap('map'),
  array: doc.getArray('array'),
  xml: doc.getXmlFragment('xml')
})

export const contentOf = doc =>
  Object.fromEntries(Object.entries(rootsOf(doc)).map(([name, root]) => [name, valueOf(root)]))

/** Clocks by client, in an order of their own. */
export const clocksOf = doc =>
  [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([a], [b]) => a - b)

/** Whether both documents have the same clocks and the same deletions. */
export const sameState = (a, b) => Y.equalSnapshots(Y.snapshot(a), Y.snapshot(b))

/**
 * What each id holds, for ids that are not deleted: one entry for each client and clock.
 *
 * @param {Y.Doc} doc
 * @return {Map<string, string>}
 */
export const contentById = doc => {
  const found = new Map()
  for (const [client, structs] of doc.store.clients) {
    for (const struct of structs) {
      if (!(struct instanceof Y.Item) || struct.deleted) continue
      const parts = partsOf(struct.content)
      for (let i = 0; i < struct.length; i++) found.set(`${client} ${struct.id.clock + i}`, parts[i])
    }
  }
  return found
}

const partsOf = content => {
  if (content instanceof Y.ContentString) return content.str.split('')
  if (content instanceof Y.ContentAny) return content.arr.map(value => JSON.stringify(value))
  if (content instanceof Y.ContentFormat) return [`${content.key}=${JSON.stringify(content.value)}`]
  if (content instanceof Y.ContentType) return [content.type.constructor.name]
  return [content.constructor.name]
}
