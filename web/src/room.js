// The view of one room: the editor, who is here, and whether everything is saved.

import { badge } from './badge.js'
import { announce, by, fill, make } from './dom.js'
import { createEditor } from './editor.js'
import { count } from './format.js'
import { me, tame } from './person.js'
import { join } from './session.js'
import { askToken } from './token.js'

const PEOPLE_SHOWN = 6
const NAMES_SAID = 3
/** Time in which those who are in a room become known, in milliseconds. */
const ARRIVAL_MS = 2_000
/** "Saved" is shown when it has held for so long, in milliseconds: it does not flicker while someone types. */
const SETTLED_MS = 300

export const openRoom = name => {
  const session = join(name)
  const editor = createEditor({ parent: by('editor'), session })
  const stopSaving = showSaving(session)
  const stopPeople = showPeople(session)
  by('copy').onclick = copyLink
  by('copy').textContent = 'Copy link'
  if (matchMedia('(hover: hover)').matches) editor.focus()
  return () => {
    stopSaving()
    stopPeople()
    editor.destroy()
    session.leave()
  }
}

const showSaving = session => {
  let last = { state: 'connecting' }
  let settle = 0
  const write = saving => {
    by('saving').dataset.state = saving.state
    by('saving-text').textContent = saving.text
    // Each word that is saved is no news. That it can, or again cannot, be saved is.
    const wasAway = ['offline', 'refused'].includes(last.state)
    if (saving.state === 'offline' && !wasAway) announce('Offline. What you write is kept on this page until it can be saved.')
    if (saving.state === 'refused' && !wasAway) announce(saving.text)
    if (saving.state === 'saved' && wasAway) announce('Connected again. Everything is saved.')
    // What comes between being away and being saved is part of being away.
    if (!(wasAway && ['saving', 'connecting'].includes(saving.state))) last = saving
  }
  const update = () => {
    clearTimeout(settle)
    const saving = session.saving
    if (saving.state === 'saved') settle = setTimeout(() => write(saving), SETTLED_MS)
    else write(saving)
    askToken(session.refused)
    by('notice').hidden = !session.holdsMore
    if (session.holdsMore) by('notice').textContent = 'Another editor keeps more in this room than plain text. This page shows only the text.'
  }
  session.addEventListener('change', update)
  update()
  return () => {
    clearTimeout(settle)
    session.removeEventListener('change', update)
  }
}

const listed = names => names.length > NAMES_SAID ? count(names.length, 'person', 'people') : names.join(', ')

const showPeople = session => {
  const { awareness, doc } = session
  const opened = performance.now()
  let known = new Set()
  const update = () => {
    const others = [...awareness.getStates()].filter(([client]) => client !== doc.clientID)
    const people = others.map(([, state]) => tame(state?.user)).filter(Boolean)
    const shown = people.slice(0, PEOPLE_SHOWN)
    const items = shown.map(person => make('li', { title: person.name }, badge(person), make('span', { class: 'person-name' }, person.name)))
    if (people.length > shown.length) {
      items.push(make('li', {}, make('span', { class: 'avatar rest', 'aria-hidden': 'true' }, `+${people.length - shown.length}`),
        make('span', { class: 'visually-hidden' }, `and ${people.length - shown.length} more`)))
    }
    fill(by('people'), items)
    by('people').hidden = people.length === 0
    by('people').dataset.count = String(Math.min(people.length, PEOPLE_SHOWN))
    tellChanges(new Set(people.map(({ name }) => name)))
  }
  const tellChanges = names => {
    // Whoever is met on coming in does not come in.
    if (performance.now() - opened > ARRIVAL_MS && session.saving.state !== 'offline') {
      const came = [...names].filter(name => !known.has(name))
      const went = [...known].filter(name => !names.has(name))
      if (came.length > 0) announce(`${listed(came)} came in`)
      else if (went.length > 0) announce(`${listed(went)} left`)
    }
    known = names
  }
  awareness.on('change', update)
  me.addEventListener('change', update)
  update()
  return () => {
    awareness.off('change', update)
    me.removeEventListener('change', update)
  }
}

const copyLink = async () => {
  const button = by('copy')
  try {
    await navigator.clipboard.writeText(location.href)
    button.textContent = 'Copied'
    announce('The address of this room is copied.')
  } catch {
    button.textContent = 'Copy the address above'
  }
  setTimeout(() => { button.textContent = 'Copy link' }, 2_000)
}
