// Frames of the y-websocket protocol, for the clients of these tests that are not y-websocket.

import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

const SYNC = 0
const AWARENESS = 1
const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2

const sync = (kind, payload) => encoding.encode(encoder => {
  encoding.writeVarUint(encoder, SYNC)
  encoding.writeVarUint(encoder, kind)
  encoding.writeVarUint8Array(encoder, payload)
})

export const NOTHING = new Uint8Array([0])

export const step1 = (stateVector = NOTHING) => sync(STEP_1, stateVector)

export const step2 = update => sync(STEP_2, update)

export const update = update => sync(UPDATE, update)

export const awareness = entries => encoding.encode(encoder => {
  encoding.writeVarUint(encoder, AWARENESS)
  encoding.writeVarUint8Array(encoder, encoding.encode(inner => {
    encoding.writeVarUint(inner, entries.length)
    for (const { client, clock, state } of entries) {
      encoding.writeVarUint(inner, client)
      encoding.writeVarUint(inner, clock)
      encoding.writeVarString(inner, JSON.stringify(state))
    }
  }))
})

/**
 * @param {Uint8Array} frame
 * @return {{ kind: 'step1' | 'step2' | 'update' | 'awareness' | 'other', payload: Uint8Array }}
 */
export const read = frame => {
  const decoder = decoding.createDecoder(frame)
  const type = decoding.readVarUint(decoder)
  if (type === AWARENESS) return { kind: 'awareness', payload: decoding.readVarUint8Array(decoder) }
  if (type !== SYNC) return { kind: 'other', payload: frame }
  const kind = { [STEP_1]: 'step1', [STEP_2]: 'step2', [UPDATE]: 'update' }[decoding.readVarUint(decoder)]
  return { kind: kind ?? 'other', payload: decoding.readVarUint8Array(decoder) }
}
