// Presence, between both generations of y-websocket.

import { generations, pairs } from '../lib/generations.mjs'
import { scenario } from '../lib/scenario.mjs'
import { presence } from '../stories/presence.mjs'

await scenario(world => presence(world, pairs(generations, generations)))
