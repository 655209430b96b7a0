// What every example needs to know: where the server is, which room, and who you are.

const settings = new URLSearchParams(location.search)

/** Without a path: `/yjs` speaks y-websocket, `/hocuspocus` Hocuspocus. */
export const server = settings.get('server') ?? 'ws://127.0.0.1:8080'

export const room = settings.get('room') ?? document.title.toLowerCase()

export const user = {
  name: settings.get('name') ?? `Guest ${Math.floor(Math.random() * 100)}`,
  color: ['#0f8a7b', '#2f6fde', '#7c53d9', '#c2389b', '#d0433f'][Math.floor(Math.random() * 5)]
}

export const say = text => { document.querySelector('#state').textContent = text }
