// Who may read an Automerge document reads it and changes nothing, who may nothing finds nothing, a wrong token opens no
// connection, another tenant has other documents of the same names, and nobody opens more connections than they may.

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

[[token]]
secret = "the secret of elsewhere"
user = "ann"
tenant = "elsewhere"
grants = ["doc:*=write"]

[quota]
user-connections = 2
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

  world.tell('another tenant finds nothing of the same name, and what it brings stays its own')
  const elsewhere = person('elsewhere', 'elsewhere')
  await assert.rejects(elsewhere.find(ofAnn.url), /unavailable/)
  const ofElsewhere = await elsewhere.create({ words: ['elsewhere'] })
  const besides = person('besides', 'elsewhere')
  assert.deepEqual([...(await besides.find(ofElsewhere.url)).doc().words], ['elsewhere'])
  await assert.rejects(cleo.find(ofElsewhere.url), /unavailable/)

  world.tell('who has as many connections open as they may opens no more')
  const third = person('third', 'elsewhere')
  await until(() => third.adapter.socket?.readyState === 3 || third.joins > 0, 'the third connection is closed')
  assert.equal(third.joins, 0)

  world.tell('a wrong token opens nothing')
  const mallory = person('mallory', 'nobody')
  await until(() => mallory.adapter.socket?.readyState === 3 || mallory.joins > 0, 'the connection is closed')
  assert.equal(mallory.joins, 0)
  assert.equal(headsOf(ofAnn), headsOf(ofCleo))
})
