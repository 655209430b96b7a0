// The button with your name, and the dialog behind it.

import { paint } from './badge.js'
import { by, make } from './dom.js'
import { COLORS, initials, me } from './person.js'

const show = () => {
  const { name, color } = me.current
  by('me-name').textContent = name
  by('me').ariaLabel = `You are ${name}. Change name and colour`
  by('me-avatar').textContent = initials(name)
  paint(by('me-avatar'), color)
}

const choice = ([label, color]) => {
  const input = make('input', { type: 'radio', name: 'color', value: color })
  input.checked = color === me.current.color
  input.addEventListener('change', () => me.change({ color }))
  return make('label', { class: 'color' }, input, paint(make('span', { class: 'swatch' }), color), make('span', { class: 'visually-hidden' }, label))
}

export const showMe = () => {
  const dialog = by('me-dialog')
  show()
  me.addEventListener('change', show)
  by('me').addEventListener('click', () => {
    by('me-input').value = me.current.name
    by('colors').replaceChildren(...Object.entries(COLORS).map(choice))
    dialog.showModal()
    by('me-input').select()
  })
  by('me-input').addEventListener('input', event => {
    if (event.target.value.trim()) me.change({ name: event.target.value })
  })
  by('me-form').addEventListener('submit', event => {
    event.preventDefault()
    dialog.close()
  })
  // A click beside the dialog closes it.
  dialog.addEventListener('click', event => {
    if (event.target === dialog) dialog.close()
  })
}
