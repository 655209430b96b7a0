// The cursors of others, with their names. The presence that is sent and read is that of y-codemirror.next, so that its
// editors and this one see each other; what comes from others is tamed before it is shown.

import { Annotation, RangeSet } from '@codemirror/state'
import { Decoration, EditorView, ViewPlugin, WidgetType } from '@codemirror/view'
import * as Y from 'yjs'

import { paint } from './badge.js'
import { tame } from './person.js'

const moved = Annotation.define()

class Caret extends WidgetType {
  constructor (person, moves) {
    super()
    this.person = person
    this.moves = moves
  }

  eq (other) {
    return other.moves === this.moves && other.person.name === this.person.name && other.person.color === this.person.color
  }

  /** A new element for each move: its name fades away some time after the last. */
  toDOM () {
    const caret = paint(document.createElement('span'), this.person.color)
    caret.className = 'remote-caret'
    caret.ariaHidden = 'true'
    const flag = document.createElement('span')
    flag.className = 'remote-name'
    flag.textContent = this.person.name
    // Word joiners keep the line from breaking here.
    caret.append('\u2060', flag, '\u2060')
    return caret
  }

  ignoreEvent () {
    return true
  }
}

class Cursors {
  decorations = RangeSet.empty

  constructor (view, text, awareness) {
    this.view = view
    this.text = text
    this.awareness = awareness
    /** How often the cursor of each client has moved, and where it was. */
    this.places = new Map()
    this.onChange = ({ added, updated, removed }) => {
      if ([...added, ...updated, ...removed].some(client => client !== text.doc.clientID)) {
        view.dispatch({ annotations: moved.of(true) })
      }
    }
    awareness.on('change', this.onChange)
    this.decorations = this.#draw()
  }

  destroy () {
    this.awareness.off('change', this.onChange)
  }

  update (update) {
    const { docChanged, selectionSet, focusChanged, transactions } = update
    if (docChanged || selectionSet || focusChanged) this.#tell(update)
    if (docChanged || transactions.some(transaction => transaction.annotation(moved))) this.decorations = this.#draw()
  }

  #tell ({ state, view }) {
    const before = this.awareness.getLocalState()
    if (before === null || !(view.hasFocus || before.cursor)) return
    const { anchor, head } = state.selection.main
    const at = index => Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.text, index))
    const cursor = { anchor: at(anchor), head: at(head) }
    if (JSON.stringify(cursor) !== JSON.stringify(before.cursor)) this.awareness.setLocalStateField('cursor', cursor)
  }

  #draw () {
    const ranges = []
    for (const [client, state] of this.awareness.getStates()) {
      const person = client === this.text.doc.clientID ? null : tame(state?.user) ?? (state?.cursor ? tame({}) : null)
      const anchor = person && this.#index(state.cursor?.anchor)
      const head = person && this.#index(state.cursor?.head)
      if (anchor === null || head === null) continue
      const [from, to] = anchor < head ? [anchor, head] : [head, anchor]
      if (from < to) {
        const tint = `background-color: color-mix(in srgb, ${person.color} 24%, transparent)`
        ranges.push(Decoration.mark({ attributes: { style: tint } }).range(from, to))
      }
      const caret = new Caret(person, this.#moves(client, state.cursor))
      // On its own side of the selection, so that the caret of whoever reads is not swallowed by it.
      ranges.push(Decoration.widget({ side: head > anchor ? -1 : 1, widget: caret }).range(head))
    }
    for (const client of this.places.keys()) {
      if (!this.awareness.getStates().has(client)) this.places.delete(client)
    }
    return Decoration.set(ranges, true)
  }

  #moves (client, cursor) {
    const key = JSON.stringify(cursor)
    const place = this.places.get(client)
    if (place?.key === key) return place.moves
    const moves = (place?.moves ?? 0) + 1
    this.places.set(client, { key, moves })
    return moves
  }

  /** Where a position is now, or null if it is nowhere in this text. */
  #index (position) {
    if (!position) return null
    try {
      const found = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(position), this.text.doc)
      return found?.type === this.text ? Math.min(found.index, this.view.state.doc.length) : null
    } catch {
      // Somebody's presence is not what it should be.
      return null
    }
  }
}

const theme = EditorView.baseTheme({
  '.remote-caret': {
    position: 'relative',
    display: 'inline',
    borderLeft: '2px solid var(--person)',
    marginLeft: '-1px',
    marginRight: '-1px',
    pointerEvents: 'auto'
  },
  '.remote-name': {
    position: 'absolute',
    bottom: 'calc(100% - 1px)',
    left: '-2px',
    zIndex: '5',
    maxWidth: '11em',
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    padding: '.12em .5em .16em',
    borderRadius: '.45em .45em .45em 0',
    background: 'var(--person)',
    color: 'var(--person-ink)',
    fontSize: '.72rem',
    fontWeight: '600',
    lineHeight: '1.25',
    whiteSpace: 'nowrap',
    userSelect: 'none',
    pointerEvents: 'none',
    animation: 'remote-name-fades 5s forwards'
  },
  '.remote-caret:hover .remote-name': { animation: 'none', opacity: '1' },
  '@keyframes remote-name-fades': { '0%, 90%': { opacity: '1' }, '100%': { opacity: '0' } }
})

export const remoteCursors = (text, awareness) => [
  ViewPlugin.define(view => new Cursors(view, text, awareness), { decorations: cursors => cursors.decorations }),
  theme
]
