// The editor: CodeMirror on a shared text. It lives in a shadow root, where its styles need no exception from the page's
// policy.

import { defaultKeymap } from '@codemirror/commands'
import { Compartment, EditorState } from '@codemirror/state'
import { drawSelection, dropCursor, EditorView, keymap, placeholder } from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import * as Y from 'yjs'

import { remoteCursors } from './cursors.js'

const theme = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'inherit', lineHeight: '1.7', overflowX: 'hidden' },
  '.cm-content': {
    boxSizing: 'border-box',
    maxWidth: '46rem',
    width: '100%',
    margin: '0 auto',
    padding: 'clamp(1.75rem, 5vh, 3.5rem) clamp(1.1rem, 4vw, 2rem) 40vh',
    caretColor: 'var(--ink)'
  },
  '.cm-line': { padding: '0 2px' },
  '.cm-cursor, .cm-dropCursor': { borderLeft: '2px solid var(--accent)', marginLeft: '-1px' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    background: 'var(--selection)'
  },
  '.cm-placeholder': { color: 'var(--faint)' }
})

export const createEditor = ({ parent, session }) => {
  const { name, text, awareness } = session
  const root = parent.shadowRoot ?? parent.attachShadow({ mode: 'open' })
  const writing = new Compartment()
  const undoManager = new Y.UndoManager(text)
  const state = EditorState.create({
    doc: text.toString(),
    extensions: [
      keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
      drawSelection(),
      dropCursor(),
      EditorView.lineWrapping,
      placeholder('Write something. Everyone in this room sees it at once.'),
      EditorView.contentAttributes.of({
        'aria-label': `Text of the room ${name}`,
        autocapitalize: 'sentences',
        spellcheck: 'true'
      }),
      writing.of(EditorState.readOnly.of(session.readOnly)),
      yCollab(text, null, { undoManager }),
      remoteCursors(text, awareness),
      theme
    ]
  })
  const view = new EditorView({ state, parent: root, root })
  const follow = () => {
    if (view.state.readOnly !== session.readOnly) {
      view.dispatch({ effects: writing.reconfigure(EditorState.readOnly.of(session.readOnly)) })
    }
  }
  session.addEventListener('change', follow)
  return {
    focus: () => view.focus(),
    destroy () {
      session.removeEventListener('change', follow)
      view.destroy()
      undoManager.destroy()
      root.replaceChildren()
    }
  }
}
