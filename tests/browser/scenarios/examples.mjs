// Each example, built as its README says, in two windows: what one writes the other sees, and where.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, resolve } from 'node:path'

import { scenario } from '../../clients/lib/scenario.mjs'
import { until } from '../../clients/lib/until.mjs'
import { Browser } from '../lib/browser.mjs'

const EXAMPLES = resolve(import.meta.dirname, '../../../examples')
const NOT_INSTALLED = 'the examples are not installed: npm ci --prefix examples --ignore-scripts'
const KINDS = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' }

/** Where one writes, and what shows the other's cursor; a textarea shows none. */
const PAGES = {
  tiptap: { editor: '.ProseMirror', caret: '.collaboration-carets__label' },
  codemirror: { editor: '.cm-content', caret: '.cm-ySelectionInfo' },
  quill: { editor: '.ql-editor', caret: '.ql-cursor-name' },
  'plain-text': { editor: 'textarea' }
}

await scenario(async world => {
  const vite = join(EXAMPLES, 'node_modules/vite/bin/vite.js')
  assert.ok(existsSync(vite), NOT_INSTALLED)
  const folder = join(world.folder, 'examples')
  const built = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'error', '--outDir', folder], { cwd: EXAMPLES })
  assert.equal(built.status, 0, String(built.stderr))
  const pages = await serveFolder(folder)

  const server = await world.serve()
  const browser = await Browser.open()
  for (const [name, { editor, caret }] of Object.entries(PAGES)) {
    world.tell(`${name}: Ada and Bo write`)
    const query = new URLSearchParams({ server: `ws://127.0.0.1:${server.port}`, room: `example ${name}` })
    const enter = async name_ => {
      const page = await browser.person({ name: name_ })
      await page.goto(`${pages}/${name}/index.html?${query}&name=${name_}`)
      await page.getByText(/^(saved|connected)/).waitFor()
      return page
    }
    const [ada, bo] = [await enter('Ada'), await enter('Bo')]
    await ada.locator(editor).click()
    await ada.keyboard.type('Hello from Ada. ')
    await reads(bo, editor, 'Hello from Ada.')
    await bo.locator(editor).click()
    await bo.keyboard.press('Control+End')
    await bo.keyboard.type('Hello from Bo.')
    await reads(ada, editor, 'Hello from Ada. Hello from Bo.')
    if (caret) {
      await ada.locator(caret, { hasText: 'Bo' }).waitFor({ state: 'attached' })
      await bo.locator(caret, { hasText: 'Ada' }).waitFor({ state: 'attached' })
    }
    if (process.env.SYNCLINE_PICTURES) await ada.screenshot({ path: join(process.env.SYNCLINE_PICTURES, `example-${name}.png`) })
    await ada.context().close()
    await bo.context().close()
  }
  await browser.close()
  assert.deepEqual(browser.complaints, [], 'the console stays silent')
})

async function reads (page, editor, text) {
  let found
  await until(async () => {
    found = await page.locator(editor).evaluate(element => {
      const copy = element.cloneNode(true)
      for (const caret of copy.querySelectorAll?.('[class*="carets__caret"], .cm-ySelectionCaret') ?? []) caret.remove()
      return (element.value ?? copy.textContent).replace(/[\u2060\ufeff]/g, '').replace(/\u00a0/g, ' ')
    })
    return found.includes(text)
  }, () => `${JSON.stringify(text)} in ${JSON.stringify(found)}`)
}

async function serveFolder (folder) {
  const listener = createServer((request, response) => {
    const path = join(folder, new URL(request.url, 'http://localhost').pathname)
    if (!existsSync(path)) return response.writeHead(404).end()
    response.writeHead(200, { 'content-type': KINDS[extname(path)] ?? 'application/octet-stream' }).end(readFileSync(path))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return `http://127.0.0.1:${listener.address().port}`
}
