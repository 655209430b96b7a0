// The reference server of Hocuspocus with documents in SQLite, in the folder given: its extension for databases, with the table and the
// queries of its extension for SQLite, on the SQLite that Node has. It ends in order when its input ends.

import { DatabaseSync } from 'node:sqlite'
import { Database } from '@hocuspocus/extension-database'
import { Server } from '@hocuspocus/server'

const db = new DatabaseSync(`${process.argv[2]}/documents.sqlite`)
db.exec('CREATE TABLE IF NOT EXISTS "documents" ("name" varchar(255) NOT NULL, "data" blob NOT NULL, UNIQUE(name))')
const select = db.prepare('SELECT data FROM "documents" WHERE name = $name ORDER BY rowid DESC')
const upsert = db.prepare('INSERT INTO "documents" ("name", "data") VALUES ($name, $data) ON CONFLICT(name) DO UPDATE SET data = $data')

const database = new Database({
  fetch: async ({ documentName }) => select.get({ name: documentName })?.data ?? null,
  store: async ({ documentName, state }) => { upsert.run({ name: documentName, data: state }) },
})
const server = new Server({ port: 0, address: '127.0.0.1', quiet: true, stopOnSignals: false, extensions: [database] })
await server.listen()
console.log(`listening on http://127.0.0.1:${server.address.port}`)

process.stdin.resume().on('end', async () => {
  await server.destroy()
  db.close()
  process.exit(0)
})
