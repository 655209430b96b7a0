// Web pages of strangers may not open a connection; programs, and pages of this host, may.

import assert from 'node:assert/strict'

import { isReference, scenario } from '../lib/scenario.mjs'

const DENIED = ['https://evil.example', 'http://evil.example:80', 'null', 'http://127.0.0.1.evil.example', 'file://', '']

/** Where vite serves pages under development. */
const DEVELOPMENT_PORT = 5173

await scenario(async world => {
  const server = await world.serve()
  const status = async origin => {
    const client = world.raw(server, 'origin', { origin })
    const answer = await client.answer()
    world.leave(client)
    return answer
  }
  world.tell('without an origin: a program')
  assert.equal(await status(undefined), 101)

  world.tell('the own host, and localhost whatever the port, as a development server has it')
  const localhost = ['', `:${DEVELOPMENT_PORT}`, `:${server.port}`].map(port => `http://localhost${port}`)
  for (const origin of [server.http, ...localhost]) {
    assert.equal(await status(origin), 101, `origin ${origin}`)
  }

  world.tell('anyone else')
  if (isReference) return
  for (const origin of DENIED) {
    // ws leaves out an empty origin, so the header is given.
    const client = world.raw(server, 'origin', { headers: { Origin: origin } })
    assert.equal(await client.answer(), 403, `origin ${JSON.stringify(origin)}`)
  }
})
