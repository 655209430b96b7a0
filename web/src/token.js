// The token that a server may ask for. It is kept until the tab is closed.

import { by } from './dom.js'

const KEY = 'syncline-token'

/** Tells of a token that was typed in. */
export const tokens = new EventTarget()

let current = ''
try {
  current = sessionStorage.getItem(KEY) ?? ''
} catch {
  // Then it lasts as long as the page.
}

export const token = () => current

/** Shows or hides the field for it. */
export const askToken = asks => {
  by('token-form').hidden = !asks
}

export const listenForToken = () => by('token-form').addEventListener('submit', event => {
  event.preventDefault()
  current = by('token').value.trim()
  by('token').value = ''
  try {
    sessionStorage.setItem(KEY, current)
  } catch {
    // As above.
  }
  tokens.dispatchEvent(new Event('change'))
})
