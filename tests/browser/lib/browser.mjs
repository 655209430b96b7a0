// A real browser, and the people who look into it. Each has a context of their own: nothing passes between them but what
// the server sends.

import { existsSync } from 'node:fs'

import { chromium } from 'playwright-core'

const PLACES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
]

const FLAGS = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync'
]

const HOW_TO_GET_IT = 'no Chromium found: `apt-get install chromium`, or name another with the variable CHROMIUM'

/** What a page may complain about while it has no server: that it cannot reach it. */
const UNREACHABLE = /^(WebSocket connection to .* failed|Failed to load resource: net::ERR_)/

export class Browser {
  /** What pages complained about. */
  complaints = []
  /** Whether the server is meant to be away. */
  away = false

  /** Opens one, with flags beside the usual. */
  static async open (flags = []) {
    const executablePath = PLACES.find(place => place && existsSync(place))
    if (!executablePath) throw new Error(HOW_TO_GET_IT)
    const browser = new Browser()
    browser.chromium = await chromium.launch({ executablePath, args: [...FLAGS, ...flags] })
    return browser
  }

  /** Someone with a browser window of their own. */
  async person ({ name, color = '#0f8a7b', scheme = 'light', width = 1200, height = 760, scale = 1 }) {
    const context = await this.chromium.newContext({
      colorScheme: scheme, viewport: { width, height }, deviceScaleFactor: scale, reducedMotion: 'reduce'
    })
    await context.addInitScript(person => localStorage.setItem('syncline-person', JSON.stringify(person)), { name, color })
    const page = await context.newPage()
    const complain = what => this.complaints.push(`${name}: ${what}`)
    page.on('pageerror', error => complain(error.stack ?? error))
    page.on('console', message => {
      const expected = this.away && UNREACHABLE.test(message.text())
      if (['error', 'warning'].includes(message.type()) && !expected) complain(message.text())
    })
    return page
  }

  async close () {
    await this.chromium.close()
  }
}

/** What stands in the editor of a page of the server's own, without the carets of others. */
export const textOf = page => page.locator('.cm-content').evaluate(content => {
  const lines = [...content.querySelectorAll('.cm-line')].map(line => {
    const copy = line.cloneNode(true)
    for (const foreign of copy.querySelectorAll('.remote-caret, .cm-ySelectionCaret, .cm-placeholder')) foreign.remove()
    return copy.textContent.replaceAll('\u2060', '').replaceAll('\u200b', '')
  })
  return lines.join('\n')
})

/** Waits until the page says that everything is saved, or what else it is to say. */
export const says = (page, state) => page.locator(`#saving[data-state="${state}"]`).waitFor()
