// Updates that no editor writes, in the V1 encoding of Yjs, byte by byte.

import * as encoding from 'lib0/encoding'

const GC = 0
const JSON_ITEMS = 2
const STRING = 4
const EMBED = 5
const FORMAT = 6
const ANY = 8
const DOC = 9

const ANY_NULL = 126
const ANY_OBJECT = 118
const ANY_ARRAY = 117

const PARENT_IS_ROOT = 1

/** Bytes from numbers, byte arrays and functions that write to an encoder. */
export const bytes = (...parts) => encoding.encode(encoder => {
  for (const part of parts) {
    if (typeof part === 'function') part(encoder)
    else encoding.writeUint8Array(encoder, part instanceof Uint8Array ? part : Uint8Array.from([part].flat()))
  }
})

export const uint = number => encoder => encoding.writeVarUint(encoder, number)

const string = text => encoder => encoding.writeVarString(encoder, text)

const repeat = (count, ...parts) => {
  const part = bytes(...parts)
  return encoder => {
    for (let i = 0; i < count; i++) encoding.writeUint8Array(encoder, part)
  }
}

/** An update of one client with these structs and nothing deleted. */
export const update = ({ client = 1, clock = 0 }, ...structs) =>
  bytes(uint(1), uint(structs.length), uint(client), uint(clock), ...structs, uint(0))

const item = (content, ...parts) => encoder => encoding.writeUint8Array(encoder,
  bytes(content, uint(PARENT_IS_ROOT), string('text'), ...parts))

export const text = characters => item(STRING, string(characters))

export const invalidText = item(STRING, uint(2), [0xc3, 0x28])

/** ContentJSON, which Yjs 13 reads and never writes. */
export const legacyJson = (...values) => item(JSON_ITEMS, uint(values.length), ...values.map(string))

export const nestedAny = depth => item(ANY, uint(1), repeat(depth, ANY_ARRAY, 1), ANY_NULL)

export const nestedObjects = depth => item(ANY, uint(1), repeat(depth, ANY_OBJECT, uint(1), string('k')), ANY_NULL)

export const nestedEmbed = depth => item(EMBED, string('['.repeat(depth) + ']'.repeat(depth)))

export const nestedFormat = depth => item(FORMAT, string('bold'), string('['.repeat(depth) + ']'.repeat(depth)))

/** The options of a subdocument are an object, in which anything may be nested. */
export const nestedDocument = depth =>
  item(DOC, string('guid'), ANY_OBJECT, uint(1), string('meta'), repeat(depth, ANY_ARRAY, 1), ANY_NULL)

export const unknownContent = item(31, uint(1))

export const collected = length => encoder => encoding.writeUint8Array(encoder, bytes(GC, uint(length)))

/** An update that only deletes. */
export const deletion = ({ client = 1, clock, length }) =>
  bytes(uint(0), uint(1), uint(client), uint(1), uint(clock), uint(length))
