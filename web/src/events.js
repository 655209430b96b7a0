// Server-sent events over fetch: unlike an EventSource it can send a token, and says why it was refused.

const RETRY_MS = 2_000

/**
 * Follows the events at a path until the returned function is called.
 *
 * @param {string} path
 * @param {object} to
 * @param {() => string} to.token
 * @param {(data: string) => void} to.onEvent
 * @param {(status: number, message: string) => void} to.onTrouble - with status 0 if there was no answer, or it ended
 */
export const follow = (path, { token, onEvent, onTrouble }) => {
  const aborter = new AbortController()
  const { signal } = aborter
  let retry = 0
  const attempt = async () => {
    let status = 0
    let message = ''
    try {
      const headers = token() ? { authorization: `Bearer ${token()}` } : {}
      const answer = await fetch(path, { headers, signal, cache: 'no-store' })
      if (answer.ok) {
        await read(answer.body, onEvent)
      } else {
        status = answer.status
        message = (await answer.json()).message ?? ''
      }
    } catch {
      // No answer, or one that broke off, or one that is no JSON.
    }
    if (signal.aborted) return
    onTrouble(status, message)
    retry = setTimeout(attempt, RETRY_MS)
  }
  attempt()
  return () => {
    aborter.abort()
    clearTimeout(retry)
  }
}

const read = async (body, onEvent) => {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const events = (rest + value).split('\n\n')
    rest = events.pop()
    for (const event of events) {
      const data = event.split('\n').filter(line => line.startsWith('data:')).map(line => line.slice(5).trimStart())
      if (data.length > 0) onEvent(data.join('\n'))
    }
  }
}
