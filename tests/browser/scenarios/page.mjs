// The page at `/`: two people in one document see each other; the server is killed under them and comes back; the page
// says so, and nothing is lost. SYNCLINE_PICTURES names a folder for pictures of it.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { scenario } from '../../clients/lib/scenario.mjs'
import { until } from '../../clients/lib/until.mjs'
import { Browser, says, textOf } from '../lib/browser.mjs'

const ROOM = 'Field trip / Süd #1'
const NOT_BUILT = 'the server was built without the page: `cargo xtask web`, then build it again'

await scenario(async world => {
  const server = await world.serve()
  const proxy = await world.proxy(server)
  const address = proxy.url.replace(/^ws/, 'http').replace(/\/yjs$/, '/')
  assert.ok((await (await fetch(address)).text()).includes('room-list'), NOT_BUILT)
  const browser = await Browser.open()
  const pictures = process.env.SYNCLINE_PICTURES
  if (pictures) mkdirSync(pictures, { recursive: true })
  const picture = async (page, name) => {
    if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) })
  }
  const ada = await browser.person({ name: 'Ada Lovelace', color: '#c2389b' })
  const bo = await browser.person({ name: 'Bo', color: '#2f6fde', scheme: 'dark', width: 390, height: 760 })

  world.tell('an empty list; Ada opens a room, by keyboard alone')
  await ada.goto(address)
  await ada.getByText('No rooms yet').waitFor()
  await picture(ada, 'list-empty')
  await ada.keyboard.press('Tab')
  await ada.locator('#skip:focus').waitFor()
  await ada.keyboard.press('Enter')
  await ada.keyboard.press('Tab')
  await ada.locator('#opener-name:focus').waitFor()
  await ada.keyboard.press('Enter')
  await ada.getByRole('alert').getByText('Type a name first.').waitFor()
  await ada.getByLabel('Name of a room').fill('x'.repeat(257))
  await ada.keyboard.press('Enter')
  await ada.getByRole('alert').getByText('too long').waitFor()
  await ada.getByLabel('Name of a room').fill(ROOM)
  await ada.keyboard.press('Enter')
  await says(ada, 'saved')
  assert.equal(await ada.title(), `${ROOM} – Syncline`)
  await ada.keyboard.type('We meet at the station at eight.\n\n')

  world.tell('Bo sees the room in the list, with Ada in it, and follows the link')
  await bo.goto(address)
  const row = bo.getByRole('link', { name: ROOM })
  await row.getByText('1 person here').waitFor()
  await row.getByText('Here now: Ada Lovelace.').waitFor({ state: 'attached' })
  await picture(bo, 'list-phone-dark')
  await row.click()
  await says(bo, 'saved')

  world.tell('both write at once, and see each other')
  await bo.locator('.cm-content').click()
  await bo.keyboard.press('Control+End')
  await Promise.all([
    ada.keyboard.type('Bring boots and a notebook. ', { delay: 5 }),
    bo.keyboard.type('I can bring the big map. ', { delay: 5 })
  ])
  await agree([ada, bo])
  await ada.locator('.remote-name', { hasText: /^Bo$/ }).waitFor()
  await bo.locator('.remote-name', { hasText: /^Ada Lovelace$/ }).waitFor()
  await ada.getByRole('list', { name: 'People in this room' }).getByText('Bo').waitFor({ state: 'attached' })
  await ada.keyboard.press('Control+Home')
  await ada.keyboard.press('Control+Shift+End')
  await bo.locator('[style*="color-mix"]').first().waitFor()
  await ada.keyboard.press('ArrowRight')
  await Promise.all([says(ada, 'saved'), says(bo, 'saved')])
  for (const [page, name] of [[ada, 'room'], [bo, 'room-phone']]) {
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
      await picture(page, `${name}-${scheme}`)
    }
  }

  world.tell('Bo takes another name')
  await bo.getByRole('button', { name: 'You are Bo' }).click()
  await bo.getByLabel('Name', { exact: true }).fill('Bo Peep')
  await bo.getByLabel('Orange').check()
  await picture(bo, 'you')
  await bo.keyboard.press('Escape')
  await ada.locator('.remote-name', { hasText: 'Bo Peep' }).waitFor({ state: 'attached' })

  world.tell('the server is killed; what is written then is counted, and the page warns before it is closed')
  const before = await textOf(ada)
  browser.away = true
  proxy.refuse()
  await server.kill()
  await Promise.all([says(ada, 'offline'), says(bo, 'offline')])
  await ada.keyboard.type('abc')
  await ada.getByText('Offline, 3 unsaved edits').waitFor()
  await bo.locator('.cm-content').click()
  await bo.keyboard.press('Control+Home')
  await bo.keyboard.type('Z')
  await bo.getByText('Offline, 1 unsaved edit').waitFor()
  assert.equal(await warns(ada), true, 'Ada would lose something')
  await picture(ada, 'offline')
  await picture(bo, 'offline-phone')

  world.tell('Ada leaves the room for the list with something unsaved: it is kept')
  await ada.locator('#home').click()
  await ada.getByText(`Not saved yet: ${ROOM}`).waitFor()
  await picture(ada, 'list-unsaved')

  world.tell('it comes back: everything is saved, and nothing is lost')
  await server.start()
  proxy.open(server)
  await says(bo, 'saved')
  await ada.getByText('Not saved yet').waitFor({ state: 'hidden' })
  browser.away = false
  await ada.getByRole('link', { name: ROOM }).click()
  await says(ada, 'saved')
  const after = await agree([ada, bo])
  assert.equal(after, `Z${before}abc`)
  assert.equal(await warns(ada), false, 'nothing is unsaved')

  world.tell('"saved" was true: it is on the disk')
  await server.kill()
  assert.equal(String(server.command('doc', 'show', ROOM, '--text', 'text').stdout).trimEnd(), after.trimEnd())

  await browser.close()
  assert.deepEqual(browser.complaints, [], 'the console stays silent')
})

/** Waits until all pages show the same text, and returns it. */
async function agree (pages) {
  let texts = []
  await until(async () => {
    texts = await Promise.all(pages.map(textOf))
    return texts.every(text => text === texts[0])
  }, () => `the same text: ${JSON.stringify(texts)}`)
  return texts[0]
}

/** Whether a page would ask before it is closed. */
function warns (page) {
  return page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })))
}
