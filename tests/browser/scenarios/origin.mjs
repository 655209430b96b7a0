// A stranger's page in somebody's browser: it may not read or write what the server on their machine has, whatever it tries. A page
// whose origin is allowed may.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'

import { scenario } from '../../clients/lib/scenario.mjs'
import { Browser } from '../lib/browser.mjs'

const STRANGER = 'stranger.example'

/** Tries in a page to open a socket: whether it opened. */
const opens = (page, url) => page.evaluate(url => new Promise(resolve => {
  const socket = new WebSocket(url)
  socket.onopen = () => resolve(true)
  socket.onerror = () => resolve(false)
}), url)

/** Asks in a page: the status, or that the browser keeps the answer to itself. */
const asks = (page, url, options) => page.evaluate(async ([url, options]) => {
  try {
    return (await fetch(url, options)).status
  } catch {
    return 'kept from the page'
  }
}, [url, options])

await scenario(async world => {
  const pages = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<!doctype html><title>A stranger</title>'))
  await once(pages.listen(0, '127.0.0.1'), 'listening')
  const stranger = `http://${STRANGER}:${pages.address().port}`
  const server = await world.serve()
  const host = new URL(server.http).host
  const socketAt = path => `ws://${host}${path}`
  // The stranger's name server may say of its names what it likes; and nothing here rests on what only some browsers check.
  const browser = await Browser.open([
    `--host-resolver-rules=MAP ${STRANGER} 127.0.0.1`, '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests'
  ])
  const page = await browser.person({ name: 'Ann' })

  world.tell('the page of the server itself')
  await page.goto(server.http)
  for (const path of ['/yjs/own', '/hocuspocus', '/automerge']) assert.equal(await opens(page, socketAt(path)), true, path)
  assert.equal(await asks(page, `${server.http}/rooms`), 200)

  world.tell('the page of a stranger')
  await page.goto(stranger)
  for (const path of ['/yjs/own', '/hocuspocus', '/automerge']) assert.equal(await opens(page, socketAt(path)), false, path)
  const put = { method: 'PUT', headers: { 'Content-Type': 'application/json', 'Sync-User': 'ann' }, body: '{"json":{"text":"forged"}}' }
  const posted = { method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body: '{"name":"forged"}' }
  assert.equal(await asks(page, `${server.http}/rooms`), 'kept from the page')
  assert.equal(await asks(page, `${server.http}/docs/v1/documents`), 'kept from the page')
  assert.equal(await asks(page, `${server.http}/docs/v1/documents/forged`, put), 'kept from the page')
  // What no page may read may still be sent: it has to be without effect.
  await asks(page, `${server.http}/docs/v1/documents/own/versions`, posted)
  assert.equal((await fetch(`${server.http}/docs/v1/documents/forged`, { headers: { 'Sync-User': 'ann' } })).status, 404)

  world.tell('a name of the stranger that leads to this machine: the browser takes both for one')
  const rebound = `http://${STRANGER}:${server.port}`
  // The page came from the stranger's own machine, before the name led elsewhere.
  await page.route(`${rebound}/page`, route => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>A stranger</title>' }))
  await page.goto(`${rebound}/page`)
  assert.equal(await opens(page, `ws://${STRANGER}:${server.port}/yjs/own`), false)
  assert.equal(await asks(page, `${rebound}/rooms`), 403)
  assert.equal(await asks(page, `${rebound}/docs/v1/documents`), 403)

  world.tell('the page of the server in a frame of the stranger')
  await page.goto(stranger)
  await page.evaluate(url => new Promise(resolve => {
    const frame = document.createElement('iframe')
    frame.onload = resolve
    frame.src = url
    document.body.append(frame)
  }), server.http)
  const framed = page.frames().find(frame => frame !== page.mainFrame())
  assert.ok(!framed.url().startsWith(server.http), `it is not shown: ${framed.url()}`)

  world.tell('the same page where its origin is allowed')
  const open = await world.serve({ args: ['--allow-origin', stranger] })
  await page.goto(stranger)
  assert.equal(await opens(page, `ws://127.0.0.1:${open.port}/yjs/own`), true)

  await browser.close()
  pages.close()
})
