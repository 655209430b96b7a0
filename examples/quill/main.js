import 'quill/dist/quill.snow.css'

import Quill from 'quill'
import QuillCursors from 'quill-cursors'
import { QuillBinding } from 'y-quill'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

import { room, say, server, user } from '../settings.js'

const doc = new Y.Doc()
const provider = new WebsocketProvider(`${server}/yjs`, encodeURIComponent(room), doc)
provider.awareness.setLocalStateField('user', user)
provider.on('sync', synced => say(synced ? 'connected' : 'offline: what you write is sent later'))

Quill.register('modules/cursors', QuillCursors)
const quill = new Quill('#editor', {
  theme: 'snow',
  modules: {
    cursors: { hideDelayMs: 3000 },
    toolbar: [[{ header: [1, 2, false] }], ['bold', 'italic', 'link'], [{ list: 'bullet' }, { list: 'ordered' }]],
    // Undo takes back your own edits only.
    history: { userOnly: true }
  }
})
new QuillBinding(doc.getText('quill'), quill, provider.awareness)
