// Edits made offline or while connecting, with both generations of y-websocket.

import { generations, pairs } from '../lib/generations.mjs'
import { scenario } from '../lib/scenario.mjs'
import { offline } from '../stories/offline.mjs'

await scenario(async world => offline(world, await world.serve(), pairs(generations, generations.slice(0, 1))))
