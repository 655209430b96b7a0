// Who you are to others: a name and a colour, kept in this browser.

const KEY = 'syncline-person'
const NAME_CHARS_MAX = 64

/** Colours that can be told apart, on light ground and on dark. */
export const COLORS = {
  Teal: '#0f8a7b',
  Blue: '#2f6fde',
  Violet: '#7c53d9',
  Magenta: '#c2389b',
  Red: '#d0433f',
  Orange: '#c8640f',
  Olive: '#75800f',
  Slate: '#5b6b82'
}

const MANNERS = ['Quiet', 'Brave', 'Swift', 'Merry', 'Clever', 'Gentle', 'Sunny', 'Lucky']
const ANIMALS = ['Heron', 'Otter', 'Fox', 'Wren', 'Lynx', 'Badger', 'Finch', 'Hare']

const pick = list => list[Math.floor(Math.random() * list.length)]

const invent = () => ({ name: `${pick(MANNERS)} ${pick(ANIMALS)}`, color: pick(Object.values(COLORS)) })

/** Makes whatever a browser or another client holds safe to show; nothing if it is no person. */
export const tame = user => {
  if (user === null || typeof user !== 'object') return null
  const name = typeof user.name === 'string' ? user.name.replace(/[\p{Cc}\p{Bidi_Control}]/gu, '').trim() : ''
  const color = typeof user.color === 'string' && /^#[0-9a-f]{3,8}$/i.test(user.color) ? user.color : COLORS.Slate
  return { name: [...name].slice(0, NAME_CHARS_MAX).join('') || 'Someone', color }
}

const read = () => {
  try {
    return tame(JSON.parse(localStorage.getItem(KEY)))
  } catch {
    // Storage may be forbidden, and what it holds may be anything.
    return null
  }
}

class Person extends EventTarget {
  #current = read() ?? invent()

  constructor () {
    super()
    this.#keep()
  }

  get current () {
    return this.#current
  }

  change (part) {
    this.#current = tame({ ...this.#current, ...part })
    this.#keep()
    this.dispatchEvent(new Event('change'))
  }

  #keep () {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#current))
    } catch {
      // Then it lasts as long as the page.
    }
  }
}

export const me = new Person()

/** One or two letters for a round badge. */
export const initials = name => {
  const words = name.split(/\s+/).filter(Boolean)
  return words.slice(0, 2).map(word => [...word][0]).join('').toUpperCase()
}

const channels = color => {
  const digits = color.slice(1)
  const wide = digits.length < 6 ? [...digits].map(digit => digit + digit).join('') : digits
  return [0, 2, 4].map(at => parseInt(wide.slice(at, at + 2) || '80', 16))
}

/** Black or white, whichever can be read better on a colour (WCAG 2.2, relative luminance). */
export const inkOn = color => {
  const [r, g, b] = channels(color).map(channel => {
    const part = channel / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? '#fff' : '#111'
}
