// A server that asks for tokens: the page asks its reader for one, and lets those who may only read do just that.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { scenario } from '../../clients/lib/scenario.mjs'
import { Browser, says, textOf } from '../lib/browser.mjs'

const ROOM = 'minutes'
const WRITER = 'a token to write everything'
const READER = 'a token to read the minutes'
/** A browser notes each refused request. */
const REFUSED = /: Failed to load resource: the server responded with a status of 401/

await scenario(async world => {
  const config = join(world.folder, 'syncline.toml')
  writeFileSync(config, `[[token]]\nsecret = "${WRITER}"\nuser = "ada"\ngrants = ["doc:*=write", "server=read"]\n[[token]]\nsecret = "${READER}"\nuser = "bo"\ngrants = ["doc:${ROOM}=comment"]\n`)
  const server = await world.serve({ args: ['--config', config] })
  const browser = await Browser.open()
  const [ada, bo] = [await browser.person({ name: 'Ada' }), await browser.person({ name: 'Bo' })]
  const show = async (page, token) => {
    await page.getByLabel('This server asks for a token').fill(token)
    await page.keyboard.press('Enter')
  }

  world.tell('Ada sees no rooms before she shows a token')
  await ada.goto(server.http)
  await ada.getByText('only with a token').waitFor()
  await show(ada, 'a wrong one')
  await ada.getByText('takes a token that may read the server').waitFor()
  await show(ada, WRITER)
  await ada.getByText('No rooms yet').waitFor()
  await ada.getByLabel('Name of a room').fill(ROOM)
  await ada.keyboard.press('Enter')
  await says(ada, 'saved')
  await ada.keyboard.type('Decided: tea.')
  await says(ada, 'saved')

  world.tell('Bo follows the link, and may read')
  await bo.goto(`${server.http}/#${ROOM}`)
  await says(bo, 'refused')
  if (process.env.SYNCLINE_PICTURES) await bo.screenshot({ path: join(process.env.SYNCLINE_PICTURES, 'token.png') })
  await bo.locator('.cm-content').click()
  await bo.keyboard.type('lost')
  await show(bo, READER)
  await bo.getByText('Read only').waitFor()
  await bo.getByText('Decided: tea.').waitFor()
  await bo.locator('.cm-content').click()
  await bo.keyboard.type('coffee')
  await ada.keyboard.type(' And cake.')
  await bo.getByText('Decided: tea. And cake.').waitFor()
  assert.equal(await textOf(ada), 'Decided: tea. And cake.')
  assert.equal(await textOf(bo), 'Decided: tea. And cake.')

  await browser.close()
  assert.deepEqual(browser.complaints.filter(complaint => !REFUSED.test(complaint)), [], 'the console stays silent')
})
