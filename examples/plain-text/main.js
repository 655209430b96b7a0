import * as Y from 'yjs'
import { WebsocketProvider } from 'y-websocket'

import { room, say, server, user } from '../settings.js'

const doc = new Y.Doc()
const text = doc.getText('text')
const provider = new WebsocketProvider(`${server}/yjs`, encodeURIComponent(room), doc)

provider.awareness.setLocalStateField('user', user)

const editor = document.querySelector('#editor')

// What was typed is what lies between the common start and the common end of before and after.
editor.addEventListener('input', () => {
  const before = text.toString()
  const after = editor.value
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start++
  let end = 0
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++
  // Never cut a surrogate pair: 😀 and 😃 have their first half in common.
  if (/[\uD800-\uDBFF]/.test(before[start - 1] ?? '')) start--
  if (/[\uDC00-\uDFFF]/.test(before[before.length - end] ?? '')) end--
  doc.transact(() => {
    text.delete(start, before.length - start - end)
    text.insert(start, after.slice(start, after.length - end))
  }, editor)
})

// The selection stays with the characters it was set between.
text.observe((event, transaction) => {
  if (transaction.origin === editor) return
  const selection = [editor.selectionStart, editor.selectionEnd].map(index => shift(index, event.delta))
  editor.value = text.toString()
  editor.setSelectionRange(...selection)
})

const shift = (index, delta) => {
  let position = 0
  for (const { retain = 0, insert = '', delete: removed = 0 } of delta) {
    position += retain
    if (position > index) break
    index += insert.length
    position += insert.length
    index -= Math.min(removed, Math.max(0, index - position))
  }
  return index
}

const show = () => {
  const people = provider.awareness.getStates().size
  say(provider.synced ? `connected, ${people} here` : 'offline: what you write is sent later')
}
provider.on('status', show)
provider.on('sync', show)
provider.awareness.on('change', show)
