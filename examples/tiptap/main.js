import { HocuspocusProvider } from '@hocuspocus/provider'
import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret'
import { StarterKit } from '@tiptap/starter-kit'

import { room, say, server, user } from '../settings.js'

const provider = new HocuspocusProvider({ url: `${server}/hocuspocus`, name: room })

// The server confirms an edit when it is on its disk: at 0 everything is.
provider.on('unsyncedChanges', ({ number }) => say(number === 0 ? 'saved' : 'saving'))
provider.on('status', ({ status }) => { if (status !== 'connected') say('offline: what you write is sent later') })

new Editor({
  element: document.querySelector('#editor'),
  extensions: [
    // Undo comes with the collaboration: it takes back your own edits only.
    StarterKit.configure({ undoRedo: false }),
    Collaboration.configure({ document: provider.document }),
    CollaborationCaret.configure({ provider, user })
  ]
})
