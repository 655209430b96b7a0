// Who may read an Automerge document reads it and changes nothing, who may nothing finds nothing, and a wrong token opens no
// connection.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Person, agree, headsOf } from '../lib/automerge.mjs'
import { scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'

const CONFIGURATION = `
[[token]]
secret = "the secret of writers"
user = "ann"
grants = ["doc:*=write"]

[[token]]
secret = "the secret of readers"
user = "bob"
grants = ["doc:*=read"]

[[token]]
secret = "the secret of others"
user = "eve"
grants = ["doc:other/*=write"]
`

await scenario(async world => {
  const file = join(world.folder, 'syncline.toml')
  writeFileSync(file, CONFIGURATION)
  const server = await world.serve({ args: ['--config', file] })
  const person = (name, of) => world.keep(new Person(server, { name, token: encodeURIComponent(`the secret of ${of}`) }))
  const ann = person('ann', 'writers')
  const bob = person('bob', 'readers')

  world.tell('who may only read sees everything and changes nothing')
  const ofAnn = await ann.create({ words: [] })
  const ofBob = await bob.find(ofAnn.url)
  ann.listen(ofAnn)
  ofBob.change(doc => doc.words.push('from bob'))
  ofBob.broadcast({ cursor: 1 })
  ofAnn.change(doc => doc.words.push('from ann'))
  await until(() => ofBob.doc().words.includes('from ann'), 'bob reads on')
  const cleo = person('cleo', 'writers')
  const ofCleo = await cleo.find(ofAnn.url)
  await agree([ofAnn, ofCleo], 'the writers')
  assert.deepEqual([...ofCleo.doc().words], ['from ann'])
  assert.deepEqual(ann.told, [], 'nor is he heard')

  world.tell('who may nothing finds nothing, and brings nothing')
  const eve = person('eve', 'others')
  await assert.rejects(eve.find(ofAnn.url), /unavailable/)
  const ofEve = await eve.create({ evil: true })
  await assert.rejects(cleo.find(ofEve.url), /unavailable/)

  world.tell('a wrong token opens nothing')
  const mallory = person('mallory', 'nobody')
  await until(() => mallory.adapter.socket?.readyState === 3 || mallory.joins > 0, 'the connection is closed')
  assert.equal(mallory.joins, 0)
  assert.equal(headsOf(ofAnn), headsOf(ofCleo))
})
