import { basicSetup, EditorView } from 'codemirror'
import { yCollab } from 'y-codemirror.next'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

import { room, say, server, user } from '../settings.js'

const doc = new Y.Doc()
const text = doc.getText('text')
const provider = new WebsocketProvider(`${server}/yjs`, encodeURIComponent(room), doc)
provider.awareness.setLocalStateField('user', user)
provider.on('sync', synced => say(synced ? 'connected' : 'offline: what you write is sent later'))

new EditorView({
  parent: document.querySelector('#editor'),
  doc: text.toString(),
  extensions: [basicSetup, EditorView.lineWrapping, yCollab(text, provider.awareness)]
})
