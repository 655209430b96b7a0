// The server under test: one data folder and the lives of the process on it.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { until } from './until.mjs'

const LINES_KEPT = 200

export class Server {
  /**
   * @param {object} options
   * @param {string} options.folder
   * @param {string[]} [options.args] - more arguments for `serve`
   * @param {string[]} [options.under] - a command that runs the server, like `env --ignore-signal=XFSZ`
   */
  constructor ({ folder, args = [], under = [] }) {
    this.binary = process.env.SYNCLINE_BIN
    if (!this.binary) throw new Error('SYNCLINE_BIN names no server: set it to the path of the syncline binary')
    this.data = join(folder, 'data')
    mkdirSync(this.data, { recursive: true })
    this.args = args
    this.under = under
    this.log = []
    this.process = null
  }

  async start () {
    this.launch()
    await until(() => this.port || this.exit, 'the server listens')
    if (this.exit) throw new Error(`the server ended at start-up: ${JSON.stringify(this.exit)}`)
    return this
  }

  /** Starts the process without waiting until it listens. */
  launch () {
    const [program, ...args] = [
      ...this.under, this.binary, 'serve', '--listen', '127.0.0.1:0', '--data-dir', this.data, ...this.args
    ]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.process = child
    this.exit = null
    child.on('error', error => this.#note(`did not start: ${error.message}`))
    child.on('exit', (code, signal) => { this.exit = { code, signal } })
    createInterface({ input: child.stderr }).on('line', line => this.#note(line))
    this.port = null
    createInterface({ input: child.stdout }).once('line', line => {
      this.port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1])
      if (!this.port) this.#note(`unexpected first line: ${line}`)
    })
  }

  get url () {
    return `ws://127.0.0.1:${this.port}/yjs`
  }

  get automerge () {
    return `ws://127.0.0.1:${this.port}/automerge`
  }

  get hocuspocus () {
    return `ws://127.0.0.1:${this.port}/hocuspocus`
  }

  get http () {
    return `http://127.0.0.1:${this.port}`
  }

  get pid () {
    return this.process.pid
  }

  /** The process is gone at once, as in a power cut of its own. */
  async kill () {
    this.process.kill('SIGKILL')
    await until(() => this.exit, 'the killed server is gone')
  }

  /** Asks for an orderly end; resolves with the exit code, the signal and the time it took. */
  async stop () {
    const asked = performance.now()
    this.process.kill('SIGTERM')
    await until(() => this.exit, 'the server ends after SIGTERM')
    return { ...this.exit, ms: performance.now() - asked }
  }

  /** HTTP status of a path. */
  async status (path) {
    const response = await fetch(this.http + path)
    await response.arrayBuffer()
    return response.status
  }

  /** Resident memory in bytes. */
  rss () {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1024
  }

  /** Runs another command of the binary on the data folder; the server must not be running. */
  command (...args) {
    const [name, ...rest] = args
    const words = ['doc', 'import'].includes(name) ? [name, rest.shift()] : [name]
    const { status, stdout, stderr } = spawnSync(this.binary, [...words, '--data-dir', this.data, ...rest])
    return { status, stdout, stderr: String(stderr) }
  }

  #note (line) {
    this.log.push(line)
    if (this.log.length > LINES_KEPT) this.log.shift()
  }
}
