// Which view is shown: the list of rooms at `/`, a room at `/#its-name`.

import './style.css'

import { announce, by } from './dom.js'
import { showMe } from './me.js'
import { hideRooms, showRooms } from './rooms.js'
import { nameInHash } from './name.js'
import { askToken, listenForToken } from './token.js'

let leave = () => {}
let turn = 0

const show = async () => {
  const mine = ++turn
  leave()
  leave = () => {}
  const name = nameInHash(location.hash)
  by('bar-room').hidden = by('people').hidden = by('copy').hidden = by('room').hidden = !name
  by('notice').hidden = true
  askToken(false)
  document.body.dataset.view = name ? 'room' : 'rooms'
  if (!name) {
    document.title = 'Syncline'
    showRooms()
    leave = hideRooms
    return
  }
  by('rooms').hidden = true
  by('room-name').textContent = name
  document.title = `${name} – Syncline`
  // The editor is most of the code: the list is there without it.
  try {
    const { openRoom } = await import('./room.js')
    if (mine === turn) leave = openRoom(name)
  } catch (error) {
    by('notice').textContent = 'The editor could not be loaded. Load the page again once the server can be reached.'
    by('notice').hidden = false
    announce(by('notice').textContent)
    console.error(error)
  }
}

by('skip').addEventListener('click', () => {
  const editor = by('editor').shadowRoot?.querySelector('.cm-content')
  const target = by('room').hidden ? by('rooms') : editor ?? by('room')
  target.focus()
})
by('home').addEventListener('click', event => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return
  event.preventDefault()
  if (location.hash) history.pushState(null, '', '/')
  show()
  by('opener-name').focus()
})
addEventListener('hashchange', show)
showMe()
listenForToken()
show()
