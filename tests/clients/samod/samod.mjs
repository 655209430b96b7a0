// samod, which is automerge-repo written in Rust, as the program in `tests/samod`: it is told line by line what to do.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export class Samod {
  /**
   * @param {string} binary
   * @param {{ automerge: string }} place
   * @param {string} name - of the peer
   */
  constructor (binary, place, name) {
    this.process = spawn(binary, [place.automerge, name], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.answers = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]()
    this.turn = Promise.resolve()
  }

  /** Has it do something, and resolves with what it answers. What is asked meanwhile waits. */
  ask (...words) {
    const answered = this.turn.then(async () => {
      this.process.stdin.write(`${JSON.stringify(words)}\n`)
      const { value, done } = await this.answers.next()
      if (done) throw new Error(`samod has ended at ${words.join(' ')}`)
      const [kind, answer] = JSON.parse(value)
      if (kind === 'wrong') throw new Error(`samod, at ${words.join(' ')}: ${answer}`)
      return answer
    })
    this.turn = answered.catch(() => {})
    return answered
  }

  /** Resolves with the URL of a new document whose entry `text` holds this. */
  create (text) {
    return this.ask('create', text)
  }

  /** Resolves with whether there is such a document. */
  find (url) {
    return this.ask('find', url)
  }

  /** Writes behind what the text of a document holds. */
  append (url, words) {
    return this.ask('append', url, words)
  }

  /** Resolves with the text of a document. */
  text (url) {
    return this.ask('text', url)
  }

  /** Resolves with the heads of a document, as `headsOf` tells them. */
  heads (url) {
    return this.ask('heads', url)
  }

  leave () {
    this.process.stdin.end()
    this.process.kill()
  }
}
