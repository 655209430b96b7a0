// The disk is full: what is not durable is neither acknowledged nor shown, everyone is sent away with "try again", and
// when there is room again everyone comes back with what they typed. A file-size limit stands in for the disk; it can
// be set and lifted in flight. Linux only.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { contentOf, sameState } from '../lib/content.mjs'
import { everyGeneration } from '../lib/generations.mjs'
import { served } from '../lib/raw.mjs'
import { scenario } from '../lib/scenario.mjs'
import { until } from '../lib/until.mjs'
import { Witness } from '../lib/witness.mjs'

const TRY_AGAIN = 1013

/** A write past the limit is an error only for a process that ignores the signal. */
const UNDER = ['env', '--ignore-signal=XFSZ']

const setLimit = (server, bytes) => {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:unlimited`])
  assert.equal(status, 0, `prlimit: ${stderr}`)
}

const largestFile = folder => Math.max(0, ...readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile()).map(entry => statSync(join(entry.parentPath ?? entry.path, entry.name)).size))

/** No file grows any more. */
const fillDisk = server => setLimit(server, largestFile(server.data))

const freeDisk = server => setLimit(server, 'unlimited')

const line = () => `${randomBytes(6 << 10).toString('base64')}\n`

const textOf = client => client.doc.getText('text')

/** Writes until the server sends the writer away. */
const writeUntilRefused = async writer => {
  const lives = writer.closes.length
  while (writer.closes.length === lives) {
    textOf(writer).insert(textOf(writer).length, line())
    await until(() => writer.confirmed || writer.closes.length > lives, 'the line is acknowledged or refused')
    if (writer.confirmed) writer.witness.receiveAll(writer.doc)
  }
  return writer.closes[lives]
}

const enter = async (world, proxy, room, generation) => {
  const witness = new Witness()
  const writer = await world.join(proxy, room, { generation, witness }).sync()
  const reader = await world.join(proxy, room, { witness }).sync()
  textOf(writer).insert(0, 'first\n')
  await writer.echo()
  return { room, witness, writer, reader }
}

const expectRefusal = async (world, server, people) => {
  for (const person of people) {
    await until(() => person.closes.length > 0, `${person} is sent away`)
    assert.equal(person.closes[0], TRY_AGAIN, `${person} was told to try again`)
  }
  await until(async () => await server.status('/readyz') === 503, '/readyz says so')
  assert.equal(await server.status('/healthz'), 200, 'the process itself is well')
  assert.equal(await world.raw(server, 'anything').answer(), 503, 'nobody is let in')
}

const play = async (world, generation) => {
  const server = await world.serve({ under: UNDER })
  const proxy = await world.proxy(server)
  const stays = await enter(world, proxy, 'stays', generation)
  const leaves = await enter(world, proxy, 'leaves', generation)
  const people = [stays, leaves].flatMap(({ writer, reader }) => [writer, reader])

  world.tell('the disk is full; both rooms write on')
  fillDisk(server)
  const codes = await Promise.all([stays, leaves].map(({ writer }) => writeUntilRefused(writer)))
  assert.deepEqual(codes, [TRY_AGAIN, TRY_AGAIN])
  proxy.refuse()
  world.tell('everyone is sent away, and in one room the last one leaves for good')
  await expectRefusal(world, server, people)
  for (const client of [leaves.reader, leaves.writer]) await client.disconnect()
  const edits = textOf(stays.writer).length

  world.tell('there is room again')
  freeDisk(server)
  await until(async () => await server.status('/readyz') === 200, '/readyz says so')
  for (const { room, witness } of [stays, leaves]) {
    const doc = await served(server.url, room)
    witness.assertKeptBy(doc)
    witness.receiveAll(doc)
  }
  return { server, proxy, stays, leaves, edits }
}

const comeBack = async (world, { server, proxy, stays, leaves, edits }) => {
  world.tell('who stayed comes back with all that they typed')
  proxy.open(server)
  await stays.writer.echo()
  await until(() => sameState(stays.reader.doc, stays.writer.doc), 'the reader has all of it')
  assert.equal(textOf(stays.writer).length, edits, 'no edit was lost')
  assert.deepStrictEqual(contentOf(stays.reader.doc), contentOf(stays.writer.doc))

  world.tell('a stranger finds the other room with all that was seen of it')
  const stranger = await world.join(proxy, 'leaves', { witness: leaves.witness }).sync()
  textOf(stranger).insert(0, 'stranger\n')
  await stranger.echo()

  world.tell('a kill and a restart change nothing')
  proxy.refuse()
  await server.kill()
  await server.start()
  for (const { room, witness } of [stays, leaves]) witness.assertKeptBy(await served(server.url, room))
  assert.equal((await server.stop()).code, 0)
  const { status, stderr } = server.command('verify')
  assert.equal(status, 0, `syncline verify: ${stderr}`)
}

await scenario(async world => {
  for (const generation of everyGeneration) await comeBack(world, await play(world, generation))
})
