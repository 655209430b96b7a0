// Every kind of value, between the generations of Hocuspocus, and between them and y-websocket in one room.

import { hocuspocusGenerations, mixedPairs, pairs } from '../lib/generations.mjs'
import { scenario } from '../lib/scenario.mjs'
import { values } from '../stories/values.mjs'

await scenario(world => values(world, [...pairs(hocuspocusGenerations, hocuspocusGenerations), ...mixedPairs]))
