// What the page says, and what it lets through from others.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ago, size } from '../src/format.js'
import { hashOf, nameInHash, problemWith } from '../src/name.js'
import { COLORS, initials, inkOn, tame } from '../src/person.js'
import { describe } from '../src/saving.js'

const NOTHING = { connected: true, synced: true, unconfirmed: 0, edits: 0, met: true, readOnly: false, refused: '' }

test('"Saved" is said only when nothing is unconfirmed', () => {
  const says = (facts, state, text) => assert.deepEqual(describe({ ...NOTHING, ...facts }), { state, text })
  says({}, 'saved', 'Saved')
  says({ unconfirmed: 1, edits: 1 }, 'saving', 'Saving…')
  says({ unconfirmed: 1 }, 'saving', 'Saving…')
  says({ synced: false }, 'saving', 'Catching up…')
  says({ synced: false, met: false }, 'connecting', 'Opening…')
  says({ connected: false, synced: false, met: false }, 'connecting', 'Connecting…')
  says({ connected: false, synced: false }, 'offline', 'Offline')
  says({ connected: false, synced: false, edits: 1 }, 'offline', 'Offline, 1 unsaved edit')
  says({ connected: false, synced: false, edits: 1200, met: false }, 'offline', 'Offline, 1,200 unsaved edits')
  says({ readOnly: true, unconfirmed: 1 }, 'reading', 'Read only')
  says({ readOnly: true, unconfirmed: 2, edits: 1 }, 'saving', 'Saving…')
  says({ refused: 'You may not open this room' }, 'refused', 'You may not open this room')
})

test('a room is in the address what it is called', () => {
  for (const name of ['notes', 'a/b c', '100%', '#?&', 'ü 🙂', '%41']) assert.equal(nameInHash(hashOf(name)), name)
  assert.equal(nameInHash('#100%'), '100%')
  assert.equal(nameInHash(''), '')
  assert.equal(nameInHash('#%20'), '')
  assert.equal(problemWith('ü'.repeat(128)), '')
  assert.match(problemWith('ü'.repeat(129)), /too long/)
  assert.match(problemWith('a\nb'), /line breaks/)
})

test('what others say about themselves is tamed', () => {
  assert.deepEqual(tame({ name: ' Ada\u202e\n ', color: '#ABC' }), { name: 'Ada', color: '#ABC' })
  assert.deepEqual(tame({ name: 7, color: 'red;position:fixed' }), { name: 'Someone', color: COLORS.Slate })
  assert.equal(tame({ name: '🙂'.repeat(100) }).name, '🙂'.repeat(64))
  for (const nobody of [null, undefined, 'Ada', 7]) assert.equal(tame(nobody), null)
  assert.equal(initials('ada king lovelace'), 'AK')
})

/** WCAG 2.2, contrast ratio. */
const contrast = (one, other) => {
  const luminance = color => [1, 3, 5].map(at => parseInt(color.slice(at, at + 2), 16) / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0)
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

test('a name can be read on each colour', () => {
  for (const [name, color] of Object.entries(COLORS)) {
    const ink = inkOn(color) === '#fff' ? '#ffffff' : '#111111'
    assert.ok(contrast(color, ink) >= 4.2, `${name}: ${contrast(color, ink).toFixed(2)}`)
  }
  assert.equal(inkOn('#fff'), '#111')
  assert.equal(inkOn('#000000'), '#fff')
})

test('times and sizes are said as people say them', () => {
  const now = Date.UTC(2026, 0, 15, 12)
  assert.equal(ago(now - 20_000, now), 'just now')
  assert.equal(ago(now + 5_000, now), 'just now')
  assert.equal(ago(now - 61_000, now), '1 minute ago')
  assert.equal(ago(now - 25 * 3_600_000, now), 'yesterday')
  assert.match(ago(now - 30 * 86_400_000, now), /^on December 16, 2025$/)
  assert.deepEqual([1, 612, 1_234, 56_789, 3_400_000].map(size), ['1 byte', '612 bytes', '1.2 kB', '57 kB', '3.4 MB'])
})
