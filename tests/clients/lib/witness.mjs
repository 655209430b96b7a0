// What clients have seen of a document from the server, and with that what the server may never lose: own echoes,
// edits of others, answers to Step1, and the clocks that the server claims in its own Step1.

import assert from 'node:assert/strict'
import * as Y from 'yjs'

import { contentById } from './content.mjs'
import * as frames from './frames.mjs'

export class Witness {
  constructor () {
    /**
     * All that it was shown, as it was: a document deletes superfluous formats by itself.
     * @type {Uint8Array[]}
     */
    this.updates = []
    /** The same as a document, for its content. */
    this.doc = new Y.Doc()
    /** Clocks that the server said it has. @type {Map<number, number>} */
    this.claimed = new Map()
    /**
     * What it was shown or told of, by client: ranges of clocks, in order and apart. An edit may rest on one whose echo
     * was lost with its connection, and then only the server's next claim tells of it.
     * @type {Map<number, [number, number][]>}
     */
    this.known = new Map()
  }

  /** @param {Uint8Array} frame - one that the server sent */
  receive (frame) {
    const { kind, payload } = frames.read(frame)
    if (kind === 'step1') {
      for (const [client, clock] of Y.decodeStateVector(payload)) {
        this.claimed.set(client, Math.max(clock, this.claimed.get(client) ?? 0))
        this.#know(client, 0, clock)
      }
    } else if (kind === 'step2' || kind === 'update') {
      this.#see(payload)
    }
  }

  /** Whether the server has shown that it holds this client's structs below the clock. */
  saw (client, clock) {
    const [from, to] = this.known.get(client)?.[0] ?? [0, 0]
    return from === 0 && to >= clock
  }

  /** The server has shown this whole document. */
  receiveAll (served) {
    this.#see(Y.encodeStateAsUpdate(served))
  }

  /**
   * Everything seen is in `served`.
   *
   * @param {Y.Doc} served
   */
  assertKeptBy (served) {
    const kept = Y.snapshot(served)
    this.updates = [Y.mergeUpdates([NOTHING, ...this.updates])]
    const ends = endsOf(this.updates[0])
    const lost = [...ends].filter(([client, end]) => (kept.sv.get(client) ?? 0) < end)
    assert.deepEqual(lost.map(([client, end]) => ({ client, seen: end, kept: kept.sv.get(client) ?? 0 })), [], 'edits are gone')
    assert.ok(Y.snapshotContainsUpdate(kept, this.updates[0]), 'deletions that were seen are gone')
    const contents = contentById(served)
    for (const [id, content] of contentById(this.doc)) {
      // What was deleted since it was seen has no content any more.
      if (contents.has(id)) assert.equal(contents.get(id), content, `the content that was seen of ${id} has changed`)
    }
    for (const [client, clock] of this.claimed) {
      assert.ok(Y.getState(served.store, client) >= clock, `client ${client}: clock ${clock} was claimed and is gone`)
    }
  }

  #see (update) {
    this.updates.push(update)
    Y.applyUpdate(this.doc, update)
    for (const struct of Y.decodeUpdate(update).structs) {
      if (struct instanceof Y.Skip) continue
      this.#know(struct.id.client, struct.id.clock, struct.id.clock + struct.length)
    }
  }

  #know (client, from, to) {
    const apart = []
    for (const range of this.known.get(client) ?? []) {
      if (range[1] < from || range[0] > to) apart.push(range)
      else [from, to] = [Math.min(from, range[0]), Math.max(to, range[1])]
    }
    this.known.set(client, [...apart, [from, to]].sort(([a], [b]) => a - b))
  }
}

/** An update with nothing in it. */
const NOTHING = new Uint8Array([0, 0])

/** By client the clock after its last struct in an update. */
const endsOf = update => {
  const ends = new Map()
  for (const struct of Y.decodeUpdate(update).structs) {
    if (!(struct instanceof Y.Skip)) ends.set(struct.id.client, struct.id.clock + struct.length)
  }
  return ends
}
