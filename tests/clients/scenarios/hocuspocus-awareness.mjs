// Presence, between the generations of Hocuspocus, and between them and y-websocket in one room.

import { hocuspocusGenerations, mixedPairs, pairs } from '../lib/generations.mjs'
import { scenario } from '../lib/scenario.mjs'
import { presence } from '../stories/presence.mjs'

await scenario(world => presence(world, [...pairs(hocuspocusGenerations, hocuspocusGenerations), ...mixedPairs]))
