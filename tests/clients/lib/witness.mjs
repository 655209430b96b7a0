// What clients have seen of a document from the server, and with that what the server may never lose: own echoes,
// edits of others, answers to Step1, and the clocks that the server claims in its own Step1.

import assert from 'node:assert/strict'
import * as Y from 'yjs'

import { contentById } from './content.mjs'
import * as frames from './frames.mjs'

export class Witness {
  constructor () {
    this.doc = new Y.Doc()
    /** Clocks that the server said it has. @type {Map<number, number>} */
    this.claimed = new Map()
  }

  /** @param {Uint8Array} frame - one that the server sent */
  receive (frame) {
    const { kind, payload } = frames.read(frame)
    if (kind === 'step1') {
      for (const [client, clock] of Y.decodeStateVector(payload)) {
        this.claimed.set(client, Math.max(clock, this.claimed.get(client) ?? 0))
      }
    } else if (kind === 'step2' || kind === 'update') {
      Y.applyUpdate(this.doc, payload)
    }
  }

  /** Whether the server has shown that it holds this client's structs below the clock. */
  saw (client, clock) {
    return Math.max(Y.getState(this.doc.store, client), this.claimed.get(client) ?? 0) >= clock
  }

  /** The server has shown this whole document. */
  receiveAll (served) {
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(served))
  }

  /**
   * Everything seen is in `served`: adding it once more changes nothing.
   *
   * @param {Y.Doc} served
   */
  assertKeptBy (served) {
    const union = new Y.Doc()
    Y.applyUpdate(union, Y.encodeStateAsUpdate(served))
    const before = Y.snapshot(union)
    Y.applyUpdate(union, Y.encodeStateAsUpdate(this.doc))
    const after = Y.snapshot(union)
    assert.deepEqual(clocks(after), clocks(before), 'edits that were seen are gone')
    assert.ok(Y.equalSnapshots(before, after), 'deletions that were seen are gone')
    assert.equal(union.store.pendingStructs, null, 'what edits that were seen rest on is gone')
    assert.equal(union.store.pendingDs, null, 'what deletions that were seen delete is gone')
    const kept = contentById(served)
    for (const [id, content] of contentById(this.doc)) {
      // What was deleted since it was seen has no content any more.
      if (kept.has(id)) assert.equal(kept.get(id), content, `the content that was seen of ${id} has changed`)
    }
    for (const [client, clock] of this.claimed) {
      assert.ok(Y.getState(served.store, client) >= clock, `client ${client}: clock ${clock} was claimed and is gone`)
    }
  }
}

const clocks = snapshot => Object.fromEntries([...snapshot.sv].sort(([a], [b]) => a - b))
