// samod and automerge-repo, two implementations of one protocol, on one server: each finds what the other creates, they write at
// once, and both come back, from the network and from a server that was killed. SYNCLINE_SAMOD names the program in `tests/samod`.

import assert from 'node:assert/strict'
import * as prng from 'lib0/prng'

import { Person, append, headsOf, newUrl } from '../lib/automerge.mjs'
import { Samod } from './samod.mjs'
import { scenario } from '../lib/scenario.mjs'
import { pause, until } from '../lib/until.mjs'

const ROUNDS = 20

const binary = process.env.SYNCLINE_SAMOD
if (!binary) throw new Error('SYNCLINE_SAMOD names no program: set it to the path of syncline-samod-peer')

const samod = (world, place, name) => world.keep(new Samod(binary, place, name))
const person = (world, place, name) => world.keep(new Person(place, { name }))

/** Waits until a handle and peers of samod have the same. */
const agree = async (handle, peers, what) => {
  let heads = []
  await until(async () => {
    heads = await Promise.all(peers.map(peer => peer.heads(handle.url)))
    return heads.every(each => sorted(each) === sorted(headsOf(handle)))
  }, () => `${what}: all agree, but ${[headsOf(handle), ...heads].join(' | ')}`)
  for (const peer of peers) assert.equal(await peer.text(handle.url), handle.doc().text)
}

const sorted = heads => heads.split(',').sort().join()

await scenario(async world => {
  const server = await world.serve()
  const rust = samod(world, server, 'rust')
  const ann = person(world, server, 'ann')

  world.tell('what samod creates automerge-repo finds')
  const isThere = async url => await server.status(`/docs/v1/documents/${url.replace('automerge:', '')}`) === 200
  const url = await rust.create('Hello from samod.')
  await until(() => isThere(url), 'the server is told of it')
  const ofAnn = await ann.find(url)
  assert.equal(ofAnn.doc().text, 'Hello from samod.')

  world.tell('what automerge-repo creates samod finds')
  const made = await ann.create({ text: 'Hello from ann.' })
  await until(() => isThere(made.url), 'the server is told of it, too')
  assert.equal(await rust.find(made.url), true)
  assert.equal(await rust.text(made.url), 'Hello from ann.')

  world.tell('what nobody has is unavailable to samod as soon as the server says so, and its connection stays')
  // samod has no deadline for this: it would wait for as long as the server says nothing.
  assert.equal(await rust.find(newUrl()), false)
  append(ofAnn, ' Still there?')
  await agree(ofAnn, [rust], 'samod still hears of others')

  world.tell('two of samod and one of automerge-repo write at once')
  const other = samod(world, server, 'other')
  assert.equal(await other.find(url), true)
  const write = async act => {
    for (let round = 0; round < ROUNDS; round++) {
      await act(round)
      await pause(prng.int32(world.rng, 0, 5))
    }
  }
  await Promise.all([
    write(round => rust.append(url, ` rust ${round}.`)),
    write(round => other.append(url, ` other ${round}.`)),
    write(round => append(ofAnn, ` ann ${round}.`))
  ])
  await agree(ofAnn, [rust, other], 'those who write')
  for (const name of ['rust', 'other', 'ann']) {
    for (let round = 0; round < ROUNDS; round++) assert.equal(ofAnn.doc().text.split(` ${name} ${round}.`).length, 2)
  }

  world.tell('both kinds are cut off, write on, and come back')
  const proxy = await world.proxy(server)
  const [far, ben] = [samod(world, proxy, 'far'), person(world, proxy, 'ben')]
  assert.equal(await far.find(url), true)
  const ofBen = await ben.find(url)
  proxy.shut()
  await far.append(url, ' far, and alone.')
  append(ofBen, ' ben, and alone.')
  append(ofAnn, ' ann, meanwhile.')
  proxy.open(server)
  await until(() => ofAnn.doc().text.includes(' far, and alone.') && ofAnn.doc().text.includes(' ben, and alone.'), 'ann has all')
  await agree(ofAnn, [rust, other, far], 'far is back')
  await agree(ofBen, [far], 'ben is back')

  world.tell('the server is killed, and all come back with what they have written')
  proxy.shut()
  await server.kill()
  await far.append(url, ' far, without a server.')
  append(ofBen, ' ben, without a server.')
  await server.start()
  proxy.open(server)
  const ofCleo = await person(world, server, 'cleo').find(url)
  await until(() => ['far', 'ben'].every(name => ofCleo.doc().text.includes(` ${name}, without a server.`)), 'cleo has all')
  await agree(ofCleo, [far], 'after the crash')
  await until(() => headsOf(ofBen) === headsOf(ofCleo), 'ben has all, too')
  assert.ok(ofCleo.doc().text.startsWith('Hello from samod.'))
})
