// PouchDB behind CouchDB's protocol as it comes, on LevelDB in the folder given, on a port that the system chooses.

import express from 'express'
import serve from 'express-pouchdb'
import PouchDB from 'pouchdb'

const folder = process.argv[2]
const databases = PouchDB.defaults({ prefix: `${folder}/` })
const app = express()
app.use(serve(databases, { inMemoryConfig: true, mode: 'minimumForPouchDB' }))
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
// The load generator has connections that rest for a while.
server.keepAliveTimeout = 3_600_000
