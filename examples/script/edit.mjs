// A program that writes in a document while people have it open: `node edit.mjs "my room" "a line"` appends a line.
// It needs nothing but Node 20: `/docs/v1` is HTTP and JSON.

const [name, line] = process.argv.slice(2)
if (!name || !line) {
  console.error(`Usage: node edit.mjs DOCUMENT LINE

DOCUMENT is the name of a room, as editors open it, or the automerge: URL of an Automerge document.

  SERVER   where the server is: http://127.0.0.1:8080 unless set
  AUTHOR   who writes, where the server asks for no token: script unless set
  TOKEN    the token, where it asks for one; its user is the author then
  ROOT     which text of the document: text unless set`)
  process.exit(2)
}

const { SERVER = 'http://127.0.0.1:8080', AUTHOR = 'script', TOKEN, ROOT = 'text' } = process.env
const isAutomerge = name.startsWith('automerge:')
const room = isAutomerge ? name.slice('automerge:'.length) : name
const document = `${SERVER}/docs/v1/documents/${encodeURIComponent(room)}`
const author = TOKEN ? { Authorization: `Bearer ${TOKEN}` } : { 'Sync-User': AUTHOR }

/** The text as a JSON pointer names it. */
const pointer = `/${ROOT.replaceAll('~', '~0').replaceAll('/', '~1')}`

/** Asks for something. What is not `expected` is an error, with the words of the server. */
const ask = async (method, path, expected, { body, headers } = {}) => {
  const answer = await fetch(document + path, {
    method, headers: { ...author, 'Content-Type': 'application/json', ...headers }, body: body && JSON.stringify(body)
  })
  if (expected.includes(answer.status)) return answer
  throw new Error(`${method} ${document}${path}: ${answer.status} ${await answer.text()}`)
}

/** Begins the document with the line, unless there is one: then nothing of it changes. */
const begin = async () => {
  const kind = isAutomerge ? 'automerge' : 'yjs'
  const answer = await ask('PUT', '', [200, 201], { body: { kind, json: { [ROOT]: line } } })
  return answer.status === 201
}

/** Writes behind what the text holds now. Whoever is faster has it tried again: the line is to stand at the end. */
const append = async () => {
  for (;;) {
    const read = await ask('GET', `?format=text&root=${encodeURIComponent(ROOT)}`, [200, 404])
    // Positions are counted as JavaScript counts them.
    const text = read.ok ? await read.text() : ''
    const edit = { op: 'splice', path: pointer, at: text.length, insert: text && !text.endsWith('\n') ? `\n${line}` : line }
    const headers = read.ok ? { 'If-Match': read.headers.get('ETag') } : {}
    const written = await ask('PATCH', '', [200, 412], { body: [edit], headers })
    if (written.ok) return
  }
}

if (!await begin()) await append()

// It is on the server's disk, and everyone who has the document open sees it.
const { sessions } = await (await ask('GET', '/history', [200])).json()
const people = sessions.at(-1)?.authors.map(({ user }) => user) ?? []
console.log(`written as ${TOKEN ? 'the user of the token' : AUTHOR}; lately ${people.join(', ')} wrote here`)
