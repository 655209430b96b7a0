// The list of rooms, as the server tells it.

import { badge } from './badge.js'
import { by, fill, make } from './dom.js'
import { follow } from './events.js'
import { ago, count, size } from './format.js'
import { hashOf, problemWith } from './name.js'
import { tame } from './person.js'
import { askToken, token, tokens } from './token.js'
import { unsavedRooms } from './unsaved.js'

const PEOPLE_SHOWN = 5
const AGO_EVERY_MS = 20_000

let stop = () => {}
let list = null
let trouble = ''
let clock = 0

const people = ({ people, connections }) => {
  const known = people.map(tame).filter(Boolean)
  const shown = known.slice(0, PEOPLE_SHOWN)
  const rest = Math.max(connections, known.length) - shown.length
  if (shown.length + rest === 0) return []
  const names = shown.map(({ name }) => name)
  if (rest > 0) names.push(count(rest, 'other', 'others'))
  const label = make('span', { class: 'visually-hidden' }, `Here now: ${names.join(', ')}. `)
  const badges = shown.map(person => {
    const one = badge(person)
    one.title = person.name
    return one
  })
  if (rest > 0) badges.push(make('span', { class: 'avatar rest', 'aria-hidden': 'true' }, `+${rest}`))
  return [make('span', { class: 'row-people' }, label, ...badges)]
}

const row = room => {
  const { name, bytes, edited } = room
  const facts = edited === null
    ? (bytes > 0 ? size(bytes) : 'nothing written yet')
    : `edited ${ago(edited)} · ${size(bytes)}`
  const here = Math.max(room.connections, room.people.length)
  const link = make('a', { href: hashOf(name), class: here > 0 ? 'row live' : 'row' },
    make('span', { class: 'row-name' }, make('bdi', {}, name)),
    make('span', { class: 'row-facts' }, here > 0 ? `${count(here, 'person', 'people')} here · ${facts}` : facts),
    ...people(room))
  return make('li', {}, link)
}

const state = () => {
  if (trouble) return trouble
  if (!list) return 'Looking…'
  if (!list.complete) return 'Still looking through the stored rooms…'
  if (list.total > list.rooms.length) return `The last ${list.rooms.length} of ${list.total.toLocaleString('en')}. Any other opens by its name.`
  return list.total === 0 ? '' : count(list.total, 'room', 'rooms')
}

const draw = () => {
  by('list-state').textContent = state()
  by('empty').hidden = !(list?.complete && list.rooms.length === 0)
  const active = document.activeElement?.closest?.('#room-list a')?.getAttribute('href')
  const changed = list && fill(by('room-list'), list.rooms.map(row))
  if (changed && active) by('room-list').querySelector(`a[href="${CSS.escape(active)}"]`)?.focus()
  const unsaved = unsavedRooms()
  by('notice').hidden = unsaved.length === 0
  if (unsaved.length > 0) by('notice').textContent = `Not saved yet: ${unsaved.join(', ')}. Keep this page open until the server can be reached.`
}

const why = (status, message) => {
  if (status === 401 && token()) return 'The list takes a token that may read the server. Each room opens by its name.'
  if (status === 401) return 'This server shows its rooms only with a token.'
  if (status === 503) return 'The server cannot show its rooms right now. Trying again…'
  return status ? `The server does not show its rooms: ${message}.` : 'The server cannot be reached. Trying again…'
}

const listen = () => {
  stop = follow('/rooms/events', {
    token,
    onEvent (data) {
      list = JSON.parse(data)
      trouble = ''
      askToken(false)
      draw()
    },
    onTrouble (status, message) {
      trouble = why(status, message)
      askToken(status === 401)
      draw()
    }
  })
}

const stopListening = () => {
  stop()
  stop = () => {}
}

/** A browser has few connections to one server: a list that nobody looks at takes none. */
const followVisibility = () => {
  stopListening()
  if (!document.hidden) listen()
}

export const showRooms = () => {
  by('rooms').hidden = false
  followVisibility()
  document.addEventListener('visibilitychange', followVisibility)
  tokens.addEventListener('change', followVisibility)
  draw()
  clock = setInterval(draw, AGO_EVERY_MS)
}

export const hideRooms = () => {
  document.removeEventListener('visibilitychange', followVisibility)
  tokens.removeEventListener('change', followVisibility)
  stopListening()
  list = null
  trouble = ''
  by('room-list').replaceChildren()
  clearInterval(clock)
}

by('opener').addEventListener('submit', event => {
  event.preventDefault()
  const input = by('opener-name')
  const name = input.value.trim()
  const problem = problemWith(name)
  by('opener-problem').textContent = problem
  input.setAttribute('aria-invalid', String(problem !== ''))
  if (problem) return input.focus()
  input.value = ''
  location.hash = hashOf(name)
})
by('opener-name').addEventListener('input', () => {
  by('opener-problem').textContent = ''
  by('opener-name').removeAttribute('aria-invalid')
})
