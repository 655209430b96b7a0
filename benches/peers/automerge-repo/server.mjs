// A server of automerge-repo as its own examples build it, with documents in the folder given, on a port that the system chooses. It
// ends in order when its input ends.

import { createServer } from 'node:http'
import { Repo } from '@automerge/automerge-repo'
import { WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { WebSocketServer } from 'ws'

const server = createServer()
const sockets = new WebSocketServer({ server })
const repo = new Repo({
  network: [new WebSocketServerAdapter(sockets)],
  storage: new NodeFSStorageAdapter(process.argv[2]),
  peerId: 'server',
  sharePolicy: async () => false,
})
// The repo listens to its sockets once it has read who it is.
await repo.storageId()
setImmediate(() => server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`)))

process.stdin.resume().on('end', async () => {
  await repo.flush()
  process.exit(0)
})
