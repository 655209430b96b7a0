// The server is killed again and again while people write with automerge-repo. Whatever heads it has told anyone are there after
// the restart, before anyone can send them again; and when the kills stop everyone converges.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'

import { Claims, Person, agree } from '../lib/automerge.mjs'
import { scenario, setting } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'

const CYCLES = setting('SYNCLINE_KILLS', 20)
const WRITERS = 3
// Clients gather what is typed for 100 ms.
const LIFE_MS_MAX = 400

await scenario(async world => {
  const server = await world.serve()
  const proxy = await world.proxy(server)
  const claims = new Claims()
  const people = Array.from({ length: WRITERS }, (_, i) => world.keep(new Person(proxy, { name: `person-${i}`, claims })))
  const first = await people[0].create({ list: [] })
  const handles = [first, ...await Promise.all(people.slice(1).map(person => person.find(first.url)))]

  const write = async life => {
    const end = performance.now() + life
    for (let n = 0; performance.now() < end; n++) {
      prng.oneOf(world.rng, handles).change(doc => {
        if (doc.list.length > 50) doc.list.deleteAt(prng.int32(world.rng, 0, 49))
        doc.list.insertAt(prng.int32(world.rng, 0, doc.list.length), n)
      })
      await pause(2)
    }
  }

  const expectKept = async () => {
    const witness = new Person(server, { name: `witness-${server.pid}` })
    const kept = await witness.find(first.url)
    assert.deepEqual(claims.missingIn(kept), [], 'heads that the server has told are gone')
    witness.leave()
  }

  world.tell(`${CYCLES} times: write, kill -9, restart, look`)
  for (let i = 1; i <= CYCLES; i++) {
    const joins = people.map(({ joins }) => joins)
    proxy.open(server)
    if (i > 1 && prng.int32(world.rng, 0, 3) > 0) {
      await until(() => people.some((person, at) => person.joins > joins[at]), 'someone is back')
    }
    await write(prng.int32(world.rng, 0, LIFE_MS_MAX))
    await server.kill()
    proxy.shut()
    await server.start()
    await expectKept()
  }
  const told = claims.heads.get(first.documentId).size
  assert.ok(told > CYCLES / 2, `the server has told of ${told} states`)

  world.tell('when the kills stop everyone converges')
  proxy.open(server)
  await agree(handles, 'after the kills')
  await expectKept()

  world.tell('the data folder is sound')
  proxy.shut()
  assert.equal((await server.stop()).code, 0)
  const { status, stderr } = server.command('verify')
  assert.equal(status, 0, `syncline verify: ${stderr}`)
})
