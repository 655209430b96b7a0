// The picture in the README: one document in two windows, with the cursor of each in the other.
//
//   SYNCLINE_BIN=target/debug/syncline node tests/browser/screenshot.mjs docs/page.png

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { scenario } from '../clients/lib/scenario.mjs'
import { until } from '../clients/lib/until.mjs'
import { Browser, says, textOf } from './lib/browser.mjs'

const ROOM = 'Field trip'
/** From the last row to the end of the line about geese, as it is broken in the narrow window. */
const ROWS_UP = 5
const TEXT = `The salt marsh in October

We meet at the station at eight. Bring boots, a notebook and something warm; the path along the dyke is open to the wind.

What to look for
– brent geese, which arrive these weeks
– glasswort, red by now
– the line of the last spring tide

Who brings what
– tea for everyone: `

await scenario(async world => {
  const target = process.argv[2]
  if (!target) throw new Error('name the picture: node tests/browser/screenshot.mjs docs/page.png')
  const server = await world.serve()
  const browser = await Browser.open()
  const address = `${server.http}/#${encodeURIComponent(ROOM)}`
  const ada = await browser.person({ name: 'Ada', color: '#c2389b', width: 860, height: 600, scale: 1.5 })
  const bo = await browser.person({ name: 'Bo', color: '#2f6fde', scheme: 'dark', width: 360, height: 600, scale: 1.5 })
  for (const page of [ada, bo]) {
    await page.goto(address)
    await says(page, 'saved')
    await page.locator('.cm-content').click()
  }
  await ada.keyboard.insertText(TEXT)
  await until(async () => await textOf(bo) === TEXT, 'Bo reads')
  await bo.keyboard.press('Control+End')
  for (let row = 0; row < ROWS_UP; row++) await bo.keyboard.press('ArrowUp')
  await bo.keyboard.press('End')
  await bo.keyboard.type(': I have a telescope')
  await ada.keyboard.type('Ada')
  await until(async () => await textOf(ada) === await textOf(bo), 'both read the same')
  await Promise.all([says(ada, 'saved'), says(bo, 'saved')])
  const [left, right] = await Promise.all([ada.screenshot(), bo.screenshot()])

  const table = await browser.person({ name: 'picture', width: 1300, height: 680, scale: 1.5 })
  await table.setContent(`<style>
    body { margin: 0; display: flex; gap: 24px; align-items: center; justify-content: center; height: 680px; background: #dfe8e5 }
    img { height: 600px; border-radius: 12px; box-shadow: 0 12px 32px rgb(20 40 36 / .22) }
  </style>${[left, right].map(png => `<img src="data:image/png;base64,${png.toString('base64')}">`).join('')}`)
  await table.locator('img').last().evaluate(image => image.decode())
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, await table.screenshot())
  await browser.close()
})
