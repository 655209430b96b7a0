// The reference server of Hocuspocus as it comes, in memory only, on a port that the system chooses.

import { Server } from '@hocuspocus/server'

const server = new Server({ port: 0, address: '127.0.0.1', quiet: true })
await server.listen()
console.log(`listening on http://127.0.0.1:${server.address.port}`)
