// The round badge that stands for a person.

import { make } from './dom.js'
import { initials, inkOn } from './person.js'

/** Gives an element the colours of a person. Through the style object, which the page's policy allows. */
export const paint = (element, color) => {
  element.style.setProperty('--person', color)
  element.style.setProperty('--person-ink', inkOn(color))
  return element
}

export const badge = ({ name, color }) => paint(make('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(name)), color)
