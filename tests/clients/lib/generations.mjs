// Who takes part in a scenario: every kind of client that the server under test understands.

import * as hocuspocus from './hocuspocus.mjs'
import * as yWebsocket from './y-websocket.mjs'

const binary = process.env.SYNCLINE_BIN ?? ''

/** Whether the server is the reference server of a protocol, which keeps little and closes nothing. */
export const isReference = /reference[^/]*\.mjs$/.test(binary)

const isReferenceOf = name => !isReference || binary.endsWith(`reference-${name}.mjs`)

const chosen = all => process.env.SYNCLINE_GENERATION ? all.filter(one => one === process.env.SYNCLINE_GENERATION) : all

/** Generations of y-websocket. */
export const generations = isReferenceOf('y-websocket') ? chosen(yWebsocket.GENERATIONS) : []

/** Generations of Hocuspocus. */
export const hocuspocusGenerations = isReferenceOf('hocuspocus') ? chosen(hocuspocus.GENERATIONS) : []

export const everyGeneration = [...generations, ...hocuspocusGenerations]

/** Every ordered pair of two lists. */
export const pairs = (some, others) => some.flatMap(one => others.map(other => [one, other]))

/** Pairs with both protocols in them: each generation once before and once after the newest of the other. */
export const mixedPairs = [
  ...pairs(generations, hocuspocusGenerations.slice(0, 1)),
  ...pairs(hocuspocusGenerations.slice(1), generations.slice(0, 1))
].flatMap(([one, other]) => [[one, other], [other, one]])

/** @return {import('./client.mjs').Client} an unmodified client of this generation */
export const clientOf = (place, room, { generation = everyGeneration[0], ...options } = {}) =>
  yWebsocket.GENERATIONS.includes(generation)
    ? new yWebsocket.YWebsocketClient(place, room, { generation, ...options })
    : new hocuspocus.HocuspocusClient(place, room, { generation, ...credentials(generation), ...options })

/** The reference server waits for a token, which the second generation sends only if it has one. */
const credentials = generation => isReference && generation === 'hp2' ? { token: 'a token' } : {}
