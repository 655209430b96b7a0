// Everyone works at once on one server: a page in a browser, editors of both protocols of Yjs, and the script of `examples/script`,
// in one document; and clients of automerge-repo with the same script in another. All end with the same, and each sees the others.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text as textFrom } from 'node:stream/consumers'

import { Person, agree, append, newUrl } from '../../clients/lib/automerge.mjs'
import { scenario } from '../../clients/lib/scenario.mjs'
import { until } from '../../clients/lib/until.mjs'
import { Browser, says, textOf } from '../lib/browser.mjs'

const SCRIPT = resolve(import.meta.dirname, '../../../examples/script/edit.mjs')
const ROOM = 'Field trip / Süd'
const ROUNDS = 5

/** Runs the script to its end, and returns what it says. */
const edit = async (server, document, line, author = 'robo') => {
  const script = spawn(process.execPath, [SCRIPT, document, line], { env: { ...process.env, SERVER: server.http, AUTHOR: author } })
  const [said, complained, [status]] = await Promise.all([textFrom(script.stdout), textFrom(script.stderr), once(script, 'exit')])
  assert.equal(status, 0, complained)
  return said
}

/** Does one after another what is to be done in each round. */
const rounds = async act => {
  for (let round = 0; round < ROUNDS; round++) await act(round)
}

/** What everybody writes in each round; all of it is to be there, once. */
const lines = name => Array.from({ length: ROUNDS }, (_, round) => `${name} ${round}.`)

const checkLines = (text, names) => {
  for (const line of names.flatMap(lines)) assert.equal(text.split(line).length, 2, `${line} in ${JSON.stringify(text)}`)
}

const onYjs = async world => {
  const server = await world.serve()
  const ask = async path => await fetch(`${server.http}/docs/v1/documents/${encodeURIComponent(ROOM)}${path}`)
  world.tell('the script begins the document')
  assert.match(await edit(server, ROOM, 'robo begins.'), /robo/)
  const browser = await Browser.open()
  const ada = await browser.person({ name: 'Ada' })
  await ada.goto(`${server.http}/#${encodeURIComponent(ROOM)}`)
  await says(ada, 'saved')
  assert.equal(await textOf(ada), 'robo begins.')
  const editors = { wes: world.join(server, ROOM, { generation: 'yws3' }), holly: world.join(server, ROOM, { generation: 'hp4' }) }
  for (const [name, editor] of Object.entries(editors)) {
    await editor.sync()
    editor.awareness.setLocalStateField('user', { name, color: '#2f6fde' })
  }

  world.tell('all of them write at once')
  // Ada types where nobody else writes: letters that are typed one by one at one place may come between each other.
  await ada.locator('.cm-content').click()
  await ada.keyboard.press('Control+Home')
  for (const _ of 'robo ') await ada.keyboard.press('ArrowRight')
  await Promise.all([
    rounds(round => edit(server, ROOM, `robo ${round}.`)),
    rounds(round => ada.keyboard.type(`Ada ${round}. `)),
    ...Object.entries(editors).map(([name, editor]) => rounds(async round => {
      const text = editor.doc.getText('text')
      text.insert(round % 2 ? 0 : text.length, ` ${name} ${round}. `)
      await editor.echo()
    }))
  ])
  for (const editor of Object.values(editors)) await editor.confirm()
  await says(ada, 'saved')

  world.tell('all have the same')
  let texts
  const see = async () => [
    await textOf(ada), await (await ask('?format=text&root=text')).text(),
    ...Object.values(editors).map(({ doc }) => doc.getText('text').toString())
  ]
  await until(async () => (texts = await see()).every(text => text === texts[0]), () => `the same text: ${JSON.stringify(texts)}`)
  checkLines(texts[0], ['robo', 'Ada', 'wes', 'holly'])

  world.tell('each sees the others')
  const people = ada.getByRole('list', { name: 'People in this room' })
  for (const [name, editor] of Object.entries(editors)) {
    await people.getByText(name).waitFor({ state: 'attached' })
    const names = () => [...editor.awareness.getStates().values()].map(({ user }) => user?.name)
    await until(() => ['Ada', ...Object.keys(editors)].every(name => names().includes(name)), () => `${editor} sees ${names()}`)
  }
  const { ranges } = await (await ask('/authors')).json()
  const ofRobo = ranges.filter(({ written }) => written?.by.user === 'robo').map(({ text }) => text).join('')
  const others = ranges.filter(({ written }) => written?.by.user !== 'robo').map(({ text }) => text).join('')
  checkLines(ofRobo, ['robo'])
  assert.ok(!others.includes('robo'), 'the history tells apart who wrote what')
  await browser.close()
  assert.deepEqual(browser.complaints, [], 'the console stays silent')
}

const onAutomerge = async world => {
  const server = await world.serve()
  const [ann, ben] = ['ann', 'ben'].map(name => world.keep(new Person(server, { name })))
  const ofAnn = await ann.create({ text: 'Hello.' })
  const ofBen = await ben.find(ofAnn.url)

  world.tell('clients and the script write at once')
  await Promise.all([
    rounds(round => edit(server, ofAnn.url, `robo ${round}.`)),
    ...Object.entries({ ann: ofAnn, ben: ofBen }).map(([name, handle]) => rounds(async round => {
      append(handle, ` ${name} ${round}. `)
      await agree([ofAnn, ofBen], 'ann and ben')
    }))
  ])
  const address = `${server.http}/docs/v1/documents/${ofAnn.documentId}`
  const text = async () => await (await fetch(`${address}?format=text&root=text`)).text()
  await until(async () => ofAnn.doc().text === ofBen.doc().text && ofAnn.doc().text === await text(), 'all have the same')
  checkLines(ofBen.doc().text, ['robo', 'ann', 'ben'])
  const { sessions } = await (await fetch(`${address}/history`)).json()
  assert.ok(sessions.flatMap(({ authors }) => authors).some(({ user }) => user === 'robo'), 'the history names the script')

  world.tell('what the script begins a client finds')
  const url = newUrl()
  await edit(server, url, 'robo begins.')
  const found = await ben.find(url)
  assert.equal(found.doc().text, 'robo begins.')
  append(found, ' ben goes on.')
  const kept = async () => await (await fetch(`${server.http}/docs/v1/documents/${found.documentId}?format=text&root=text`)).text()
  await until(async () => await kept() === found.doc().text, 'the server has it')
  await edit(server, url, 'robo ends.')
  await until(() => found.doc().text === 'robo begins. ben goes on.\nrobo ends.', () => found.doc().text)
}

await scenario(async world => {
  await onYjs(world.about('Yjs'))
  await onAutomerge(world.about('Automerge'))
})
