// What automerge-repo has stored in a folder (NodeFSStorageAdapter) is imported, once; a document of the other kind is left alone.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Repo } from '@automerge/automerge-repo'
import * as prng from 'lib0/prng'

import { Memory, Person, headsOf } from '../lib/automerge.mjs'
import { scenario } from '../lib/scenario.mjs'

/** Writes what a storage holds as NodeFSStorageAdapter does: two letters of the name are a folder of their own. */
const writeFolder = (folder, storage) => {
  for (const { key: [first, ...rest], data } of storage.entries.values()) {
    const file = join(folder, first.slice(0, 2), first.slice(2), ...rest)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, data)
  }
}

await scenario(async world => {
  const storage = new Memory()
  const repo = new Repo({ storage })
  const handles = ['one', 'two', 'three'].map(title => repo.create({ title, noise: Uint8Array.from({ length: 5_000 }, () => prng.int32(world.rng, 0, 255)) }))
  await repo.flush()
  for (const handle of handles) {
    for (let i = 0; i < 5; i++) {
      handle.change(doc => { doc.count = i })
      await repo.flush()
    }
  }
  const kinds = [...storage.entries.values()].map(({ key }) => key[1])
  assert.ok(kinds.includes('incremental') && kinds.includes('snapshot'), `there is both: ${kinds}`)
  const folder = join(world.folder, 'repo')
  writeFolder(folder, storage)

  const server = await world.serve()
  assert.equal((await server.stop()).code, 0)
  world.tell('the folder is imported, and the second time there is nothing new')
  const imported = server.command('import', 'automerge-repo', folder)
  assert.deepEqual([imported.status, imported.stderr], [0, '3 documents added to, 0 with nothing new, 0 not imported\n'])
  const again = server.command('import', 'automerge-repo', folder)
  assert.deepEqual([again.status, again.stderr], [0, '0 documents added to, 3 with nothing new, 0 not imported\n'])
  assert.equal(server.command('verify').status, 0)

  await server.start()
  const reader = world.keep(new Person(server, { name: 'reader' }))
  for (const handle of handles) assert.equal(headsOf(await reader.find(handle.url)), headsOf(handle))
})
