// Clients are generated from the descriptions that the server gives of itself. A program that calls /docs/v1 through one fits the
// generated types, and what the server answers is what they say.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import createClient from 'openapi-fetch'

import { scenario } from '../lib/scenario.mjs'

const CLIENTS = resolve(import.meta.dirname, '..')
const PROGRAM = join(CLIENTS, 'openapi/documents.mts')

/** Runs a tool from npm to its end. */
const run = (tool, ...args) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(CLIENTS, 'node_modules', tool), ...args], { cwd: CLIENTS })
  assert.equal(status, 0, `${tool}: ${stdout}${stderr}`)
}

/** How the program is looked at: as strictly as anyone would. */
const project = folder => ({
  compilerOptions: {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable'],
    types: [],
    module: 'esnext',
    moduleResolution: 'bundler',
    verbatimModuleSyntax: true,
    noEmitOnError: true,
    rootDir: join(CLIENTS, 'openapi'),
    outDir: join(folder, 'built'),
    paths: { 'generated/*': [join(folder, '*')] }
  },
  files: [PROGRAM, ...['sync', 'auth'].map(name => join(folder, `${name}.d.ts`))]
})

await scenario(async world => {
  const server = await world.serve()

  world.tell('types are generated from each description')
  for (const name of ['docs', 'sync', 'auth']) {
    run('openapi-typescript/bin/cli.js', `${server.http}/${name}/v1/openapi.json`, '--output', join(world.folder, `${name}.d.ts`))
  }

  world.tell('a program fits them')
  writeFileSync(join(world.folder, 'tsconfig.json'), JSON.stringify(project(world.folder)))
  run('typescript/bin/tsc', '--project', world.folder)

  world.tell('it calls the server')
  const { play } = await import(pathToFileURL(join(world.folder, 'built/documents.mjs')))
  await play(createClient({ baseUrl: server.http }), assert)
})
