// Presence: who is there, what they do, and that nobody stays who has left.

import assert from 'node:assert/strict'

import { isReference } from '../lib/generations.mjs'
import { until } from '../lib/until.mjs'

/** Clients renew a presence every 15 s by themselves; what is to be quick must not wait for that. */
const QUICK_MS = 8_000

const stateOf = (watcher, client) => watcher.awareness.getStates().get(client.doc.clientID)

const comeAndMove = async (world, server, mover, watcher) => {
  world.tell('a name, then a cursor, then another cursor')
  mover.awareness.setLocalStateField('user', { name: 'Ada 😀' })
  await until(() => stateOf(watcher, mover)?.user?.name === 'Ada 😀', 'the name is seen')
  for (const cursor of [{ anchor: 1, head: 1 }, { anchor: 2, head: 7 }]) {
    mover.awareness.setLocalStateField('cursor', cursor)
    await until(() => stateOf(watcher, mover)?.cursor?.head === cursor.head, 'the cursor is seen')
  }
  assert.equal(stateOf(watcher, mover).user.name, 'Ada 😀', 'the name stays when the cursor moves')

  world.tell('a late joiner sees who is there without anyone moving')
  const late = world.join(server, mover.room, { generation: watcher.generation })
  await until(() => stateOf(late, mover)?.cursor?.head === 7, 'the late joiner sees the cursor')
  world.leave(late)
}

const clearAndReturn = async (world, mover, watcher) => {
  world.tell('cleared by null, and set again')
  mover.awareness.setLocalState(null)
  await until(() => !watcher.present.includes(mover.doc.clientID), 'the cleared presence is gone')
  mover.awareness.setLocalState({ user: { name: 'Ada' } })
  await until(() => stateOf(watcher, mover)?.user?.name === 'Ada', 'the presence is seen again')
}

const vanish = async (world, server, proxy, mover, watcher, generation) => {
  world.tell('a provider that is closed takes its presence along')
  mover.awareness.setLocalState({ user: { name: 'Ada' } })
  const guest = world.join(server, mover.room, { generation })
  guest.awareness.setLocalStateField('user', { name: 'guest' })
  await until(() => stateOf(watcher, guest)?.user, 'the guest is seen')
  world.leave(guest)
  await until(() => !watcher.present.includes(guest.doc.clientID), 'the guest is gone')

  world.tell('so does one whose connection breaks')
  proxy.shut()
  await until(() => !watcher.present.includes(mover.doc.clientID), 'who is cut off is gone')
}

const comeBack = async (world, server, proxy, mover, watcher) => {
  const clock = mover.awareness.meta.get(mover.doc.clientID).clock
  world.tell('back with the same clock, it is seen again at once, though it moves nothing')
  proxy.open(server)
  const deadline = isReference ? 30_000 : QUICK_MS
  await until(() => stateOf(watcher, mover)?.user?.name === 'Ada', 'who is back is seen', deadline)
  await until(() => stateOf(mover, watcher)?.user?.name === 'Bob', 'who is back sees the others')
  const back = mover.awareness.meta.get(mover.doc.clientID).clock
  assert.ok(isReference || back <= clock + 2, `seen through its return, not renewals: clock ${clock}, then ${back}`)
}

const play = async (wholeWorld, server, generation, other) => {
  const world = wholeWorld.about(`${generation} watched by ${other}`)
  const room = `presence of ${generation} for ${other}`
  const proxy = await world.proxy(server)
  const mover = await world.join(proxy, room, { generation }).sync()
  const watcher = await world.join(server, room, { generation: other }).sync()
  watcher.awareness.setLocalStateField('user', { name: 'Bob' })
  await until(() => stateOf(mover, watcher)?.user?.name === 'Bob', 'the watcher is seen')
  await comeAndMove(world, server, mover, watcher)
  // The reference server of y-websocket forgets whose presence it was once it has been cleared; that of Hocuspocus tells
  // nobody that it was.
  if (!isReference) await clearAndReturn(world, mover, watcher)
  await vanish(world, server, proxy, mover, watcher, generation)
  await comeBack(world, server, proxy, mover, watcher)
}

/** @param {[string, string][]} pairs - of generations: who moves, and who watches */
export const presence = async (world, pairs) => {
  const server = await world.serve()
  // Clients wait for a renewal at the end, which is better done together.
  await Promise.all(pairs.map(([mover, watcher]) => play(world, server, mover, watcher)))
}
