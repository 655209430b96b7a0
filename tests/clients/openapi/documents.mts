// Every call of /docs/v1 that has an end, through a client whose types are made of its description. Where a line is to be refused by
// the types, it says so: `tsc` complains if it is not.

import type { Client } from 'openapi-fetch'
import type { components, paths } from 'generated/docs'

type Schemas = components['schemas']

/** What is expected is checked with `node:assert/strict`. */
interface Assert {
  equal (found: unknown, wanted: unknown, why?: string): void
  deepEqual (found: unknown, wanted: unknown, why?: string): void
  ok (found: unknown, why?: string): asserts found
}

const ann = { 'Sync-User': 'ann' }
const of = (name: string) => ({ path: { name }, header: ann })
const plan = of('team/plan')

/** What an answer holds that has to be a good one. */
const good = <T,>(answer: { data?: T, error?: unknown, response: Response }, status: number): T => {
  if (answer.response.status !== status || answer.data === undefined) {
    throw new Error(`${answer.response.url}: ${answer.response.status} ${JSON.stringify(answer.error)}`)
  }
  return answer.data
}

/** What an answer holds that comes in one of several forms. */
const textOf = (answer: { data?: unknown, response: Response }) => {
  const text = good(answer, 200)
  if (typeof text !== 'string') throw new Error(`${answer.response.url}: no text`)
  return text
}

const bytesOf = (answer: { data?: unknown, response: Response }) => {
  const bytes = good(answer, 200)
  if (!(bytes instanceof ArrayBuffer)) throw new Error(`${answer.response.url}: no bytes`)
  return bytes
}

/** The word that says why something was refused. */
const why = (error: Schemas['Refusal'] | Schemas['Problem'] | undefined) =>
  error && ('error' in error ? error.error : error.code)

export const play = async (client: Client<paths>, assert: Assert) => {
  await write(client, assert)
  await lookBack(client, assert)
  await branch(client, assert)
  await end(client, assert)
}

const write = async (client: Client<paths>, assert: Assert) => {
  const seed: Schemas['Seed'] = { json: { text: 'Hello', todo: ['milk'] } }
  const created = await client.PUT('/docs/v1/documents/{name}', { params: plan, body: seed })
  assert.deepEqual(good(created, 201), { name: 'team/plan', created: true })
  const again = await client.PUT('/docs/v1/documents/{name}', { params: plan, body: seed })
  assert.equal(good(again, 200).created, false)

  const read = await client.GET('/docs/v1/documents/{name}', { params: plan })
  assert.deepEqual(good(read, 200), seed.json)
  const tag = read.response.headers.get('ETag')
  assert.ok(tag)
  const known = { path: plan.path, header: { ...ann, 'If-None-Match': tag } }
  const same = await client.GET('/docs/v1/documents/{name}', { params: known })
  assert.equal(same.response.status, 304)

  const edits: Schemas['Edits'] = [
    { op: 'test', path: '/todo/0', value: 'milk' },
    { op: 'splice', path: '/text', at: 5, insert: ' world', format: { bold: true } },
    { op: 'add', path: '/todo/-', value: { what: 'bread', done: false } }
  ]
  const unchanged = { path: plan.path, header: { ...ann, 'If-Match': tag } }
  const edited = await client.PATCH('/docs/v1/documents/{name}', { params: unchanged, body: edits })
  assert.equal(good(edited, 200).changed, true)
  const stale = await client.PATCH('/docs/v1/documents/{name}', { params: unchanged, body: edits })
  assert.equal(stale.response.status, 412)
  assert.equal(why(stale.error), 'changed')

  // @ts-expect-error There is no such edit.
  const unknown: Schemas['Edits'] = [{ op: 'sing', path: '/text' }]
  // @ts-expect-error A splice says where.
  const nowhere: Schemas['Edits'] = [{ op: 'splice', path: '/text', insert: 'x' }]
  for (const body of [unknown, nowhere]) {
    const refused = await client.PATCH('/docs/v1/documents/{name}', { params: plan, body })
    assert.equal(why(refused.error), 'bad-request')
  }
  // @ts-expect-error There is no such format.
  const verse = await client.GET('/docs/v1/documents/{name}', { params: { ...plan, query: { format: 'verse' } } })
  assert.equal(why(verse.error), 'bad-request')

  const text = await client.GET('/docs/v1/documents/{name}', {
    params: { ...plan, query: { format: 'text', root: 'text' } }, parseAs: 'text'
  })
  assert.equal(textOf(text), 'Hello world')
  const update = await client.GET('/docs/v1/documents/{name}', {
    params: { ...plan, query: { format: 'update' } }, parseAs: 'arrayBuffer'
  })
  assert.ok(bytesOf(update).byteLength > 2)
}

const lookBack = async (client: Client<paths>, assert: Assert) => {
  const history = good(await client.GET('/docs/v1/documents/{name}/history', { params: plan }), 200)
  assert.deepEqual([history.first, history.last], [0, 2])
  assert.deepEqual(history.sessions[0]?.authors, [{ user: 'ann', device: null }])
  const ranges = good(await client.GET('/docs/v1/documents/{name}/authors', { params: plan }), 200).ranges
  const written = ranges.map(({ path, text, written }) => [path, text, written?.by.user, written?.commit])
  assert.deepEqual(written.filter(([path]) => path === '/text'), [['/text', 'Hello', 'ann', 1], ['/text', ' world', 'ann', 2]])

  const before = { name: 'before the review', commit: 1 }
  const version = good(await client.POST('/docs/v1/documents/{name}/versions', { params: plan, body: before }), 201)
  assert.deepEqual([version.version, version.commit, version.named_by], [1, 1, 'ann'])
  const { versions } = good(await client.GET('/docs/v1/documents/{name}/versions', { params: plan }), 200)
  assert.deepEqual(versions, [version])
  const kept = { path: { ...plan.path, version: version.version }, header: ann }
  const bytes = await client.GET('/docs/v1/documents/{name}/versions/{version}', { params: kept, parseAs: 'arrayBuffer' })
  assert.ok(bytesOf(bytes).byteLength > 2)

  const between = { ...plan, query: { from_version: version.version } }
  const diff = good(await client.GET('/docs/v1/documents/{name}/diff', { params: between }), 200)
  assert.deepEqual([diff.from, diff.to], [1, 2])
  for (const change of diff.changes) {
    switch (change.kind) {
      case 'text':
        assert.deepEqual([change.path, change.at, change.removed, change.inserted], ['/text', 5, '', ' world'])
        break
      case 'items':
        assert.deepEqual([change.path, change.at, change.inserted], ['/todo', 1, [{ what: 'bread', done: false }]])
        break
      default:
        assert.ok(false, `no ${change.kind} has changed`)
    }
  }
  assert.equal(diff.changes.length, 2)

  const restored = await client.POST('/docs/v1/documents/{name}/restore', { params: plan, body: { version: version.version } })
  assert.equal(good(restored, 200).changed, true)
  const now = await client.GET('/docs/v1/documents/{name}', { params: plan })
  assert.deepEqual(good(now, 200), { text: 'Hello', todo: ['milk'] })
  const after = await client.GET('/docs/v1/documents/{name}', { params: { ...plan, query: { commit: 2, format: 'text', root: 'text' } }, parseAs: 'text' })
  assert.equal(textOf(after), 'Hello world', 'nothing is rewound')
  const never = await client.GET('/docs/v1/documents/{name}', { params: { ...plan, query: { commit: 99 } } })
  assert.equal(why(never.error), 'not-kept')
  const forgotten = await client.DELETE('/docs/v1/documents/{name}/versions/{version}', { params: kept })
  assert.equal(forgotten.response.status, 204)
}

const branch = async (client: Client<paths>, assert: Assert) => {
  const copied = await client.POST('/docs/v1/documents/{name}/copy', { params: plan, body: { to: 'team/copy', commit: 2 } })
  assert.deepEqual(good(copied, 201), { name: 'team/copy', created: true })

  const begun = good(await client.POST('/docs/v1/documents/{name}/branches', { params: plan, body: { name: 'team/draft' } }), 201)
  assert.deepEqual([begun.name, begun.commit], ['team/draft', 3])
  const taken = await client.POST('/docs/v1/documents/{name}/branches', { params: plan, body: { name: 'team/draft' } })
  assert.equal(why(taken.error), 'name-taken')
  const { origin, branches } = good(await client.GET('/docs/v1/documents/{name}/branches', { params: plan }), 200)
  assert.deepEqual([origin, branches], [null, [begun]])

  const draft = of('team/draft')
  await client.PATCH('/docs/v1/documents/{name}', { params: draft, body: [{ op: 'splice', path: '/text', at: 5, insert: ' again' }] })
  const dry = await client.POST('/docs/v1/documents/{name}/merge', {
    params: { ...plan, query: { dry_run: true } }, body: { from: 'team/draft' }
  })
  const [change] = good(dry, 200).changes ?? []
  assert.equal(change?.kind === 'text' && change.inserted, ' again')
  const merged = await client.POST('/docs/v1/documents/{name}/merge', { params: plan, body: { from: 'team/draft' } })
  assert.equal(good(merged, 200).changed, true)
  const stranger = await client.POST('/docs/v1/documents/{name}/merge', { params: plan, body: { from: 'team/copy' } })
  assert.equal(why(stranger.error), 'not-a-branch')
  const text = await client.GET('/docs/v1/documents/{name}', { params: { ...plan, query: { format: 'text', root: 'text' } }, parseAs: 'text' })
  assert.equal(textOf(text), 'Hello again')
}

const end = async (client: Client<paths>, assert: Assert) => {
  const page = good(await client.GET('/docs/v1/documents', { params: { query: { prefix: 'team/' }, header: ann } }), 200)
  assert.deepEqual(page.documents.map(({ name, kind }) => [name, kind]), [['team/copy', 'yjs'], ['team/draft', 'yjs'], ['team/plan', 'yjs']])
  assert.equal(page.next, null)
  for (const { name } of page.documents) {
    const gone = await client.DELETE('/docs/v1/documents/{name}', { params: of(name) })
    assert.equal(gone.response.status, 204)
  }
  const absent = await client.GET('/docs/v1/documents/{name}', { params: plan })
  assert.equal(absent.response.status, 404)
  assert.equal(why(absent.error), 'unknown-document')
}
