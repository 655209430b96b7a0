// Frames of the Hocuspocus protocol: an address, then a message of which some are those of y-websocket.

import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

export const AUTH = 2
export const STATELESS = 5
export const BROADCAST_STATELESS = 6
export const CLOSE = 7
export const SYNC_STATUS = 8
const PING = 9
const PONG = 10

const TOKEN = 0
const PERMISSION_DENIED = 1

/** A message of any kind, addressed. */
export const to = (address, message) => encoding.encode(encoder => {
  encoding.writeVarString(encoder, address)
  encoding.writeUint8Array(encoder, message)
})

export const token = (address, token, version) => to(address, encoding.encode(encoder => {
  encoding.writeVarUint(encoder, AUTH)
  encoding.writeVarUint(encoder, TOKEN)
  encoding.writeVarString(encoder, token)
  if (version) encoding.writeVarString(encoder, version)
}))

export const text = (type, payload) => encoding.encode(encoder => {
  encoding.writeVarUint(encoder, type)
  encoding.writeVarString(encoder, payload)
})

export const stateless = payload => text(STATELESS, payload)

export const CLOSING = new Uint8Array([CLOSE])

/** Why a message closes or denies a document; nothing if it does not. @return {string | null} */
export const refusal = message => {
  const decoder = decoding.createDecoder(message)
  const type = decoding.readVarUint(decoder)
  const denies = type === AUTH && decoding.readVarUint(decoder) === PERMISSION_DENIED
  return denies || type === CLOSE ? decoding.readVarString(decoder) : null
}

/**
 * @param {Uint8Array} frame
 * @return {{ address: string | null, message: Uint8Array }} no address for pings
 */
export const read = frame => {
  if (frame.length === 1 && (frame[0] === PING || frame[0] === PONG)) return { address: null, message: frame }
  const decoder = decoding.createDecoder(frame)
  const address = decoding.readVarString(decoder)
  return { address, message: decoding.readTailAsUint8Array(decoder) }
}
