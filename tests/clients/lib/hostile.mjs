// What strangers send, and the code with which they are shown the door: messages as they stand in a y-websocket frame,
// or after the address in a Hocuspocus frame.

import * as Y from 'yjs'

import * as crafted from './crafted.mjs'
import * as frames from './frames.mjs'

export const MALFORMED = 4400
export const TOO_LARGE = 4413
export const BAD_UPDATE = 4422

const MESSAGE_BYTES_MAX = 64 << 20
export const DEPTH_MAX = 256
const CLOCK_MAX = 2 ** 31 - 1

const { bytes, uint } = crafted

const bad = update => [BAD_UPDATE, frames.update(update)]

/** Messages, and the code with which their sender is closed. */
export const HOSTILE = {
  'an empty frame': [MALFORMED, bytes()],
  'a type that does not end': [MALFORMED, bytes(0x80)],
  'a sync message without a kind': [MALFORMED, bytes(0)],
  'a sync message without a body': [MALFORMED, bytes(0, 2)],
  'a body that is cut off': [MALFORMED, bytes(0, 2, 12, 1, 1)],
  'a body that claims 2^28 bytes': [MALFORMED, bytes(0, 2, uint(2 ** 28), 0)],
  'a length beyond 64 bits': [MALFORMED, bytes(0, 2, Array(12).fill(0xff))],
  'presence that is cut off': [MALFORMED, bytes(1, 13, 1, 13)],
  text: [MALFORMED, 'hello'],
  'a state vector of 2^28 clients': [MALFORMED, bytes(0, 0, 5, uint(2 ** 28))],
  'a state vector that is cut off': [MALFORMED, bytes(0, 0, 2, 5, 1)],
  'an update that is cut off': bad(crafted.update({}, crafted.text('hi')).subarray(0, 8)),
  'an update with something after it': bad(bytes(crafted.update({}, crafted.text('hi')), 0)),
  'an update of 2^28 clients': bad(bytes(uint(2 ** 28))),
  'an update of 2^28 structs': bad(bytes(1, uint(2 ** 28), 1, 0)),
  'arrays 8,000 deep': bad(crafted.update({}, crafted.nestedAny(8_000))),
  'arrays 1,000,000 deep': bad(crafted.update({}, crafted.nestedAny(1_000_000))),
  'objects 8,000 deep': bad(crafted.update({}, crafted.nestedObjects(8_000))),
  'an embed 100,000 deep': bad(crafted.update({}, crafted.nestedEmbed(100_000))),
  'a format 100,000 deep': bad(crafted.update({}, crafted.nestedFormat(100_000))),
  'options of a subdocument 8,000 deep': bad(crafted.update({}, crafted.nestedDocument(8_000))),
  'content of Yjs 12': bad(crafted.update({}, crafted.legacyJson('1', 'undefined'))),
  'legacy content with nothing in it': bad(crafted.update({}, crafted.legacyJson())),
  'content of no kind': bad(crafted.update({}, crafted.unknownContent)),
  'text that is not UTF-8': bad(crafted.update({}, crafted.invalidText)),
  'a clock at the end of time': bad(crafted.update({ clock: CLOCK_MAX - 2 }, crafted.text('too long'))),
  'a struct as long as time': bad(crafted.update({}, crafted.collected(2 ** 31))),
  'a struct longer than that': bad(crafted.update({}, crafted.collected(2 ** 40))),
  'a deletion beyond the end of time': bad(crafted.deletion({ clock: CLOCK_MAX - 1, length: 10 })),
  'the same as an answer to Step1': [BAD_UPDATE, frames.step2(crafted.update({}, crafted.nestedAny(8_000)))]
}

/** The same shapes within bounds: what is refused is refused for its depth or length, not for its form. */
export const HONEST = [
  crafted.text('hi'),
  crafted.nestedAny(32),
  crafted.nestedObjects(32),
  crafted.nestedEmbed(32),
  crafted.nestedFormat(32),
  crafted.nestedDocument(32),
  crafted.collected(5)
]

/** Odd, but no reason to close: of another protocol, or of a later one. */
export const IGNORED = {
  'a type nobody knows': bytes(9, 1, 2, 3),
  'a type of y-sweet': bytes(102, 1, 5),
  'a large type': bytes(uint(2 ** 31), 0),
  'presence of nobody': frames.awareness([]),
  'an empty update': frames.update(bytes(0, 0)),
  'an empty state vector': frames.step1()
}

/** One level of nesting an update, as an honest editor would write it, below a key of the root. */
export const levels = (count, key = 'x') => {
  const doc = new Y.Doc()
  const updates = []
  doc.on('update', update => updates.push(update))
  let map = doc.getMap('deep').set(key, new Y.Map())
  for (let i = 1; i < count; i++) map = map.set('x', new Y.Map())
  return updates
}

export const depthOf = doc => {
  let depth = 0
  for (let map = doc.getMap('deep'); map; map = map.get('x')) depth++
  return depth - 1
}

/** The start of a WebSocket frame that announces more than the limit. */
export const tooLarge = () => {
  const header = Buffer.alloc(14)
  header.writeUInt8(0x82)
  header.writeUInt8(0xff, 1)
  header.writeBigUInt64BE(BigInt(MESSAGE_BYTES_MAX + 1), 2)
  return Buffer.concat([header, Buffer.alloc(64 << 10)])
}
