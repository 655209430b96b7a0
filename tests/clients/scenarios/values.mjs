// Every kind of value, between both generations of y-websocket.

import { generations, pairs } from '../lib/generations.mjs'
import { scenario } from '../lib/scenario.mjs'
import { values } from '../stories/values.mjs'

await scenario(world => values(world, pairs(generations, generations)))
