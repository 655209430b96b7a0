// Waiting for a condition. Nothing in these tests sleeps: a condition is looked at until it holds, and 30 seconds
// without it are a failure that says what was waited for.

const LOOK_EVERY_MS = 5

/**
 * Resolves with the first truthy value of `condition`.
 *
 * @template T
 * @param {() => T | Promise<T>} condition
 * @param {string | (() => string)} what - what is waited for, as the error says it
 * @param {number} deadlineMs
 * @return {Promise<T>}
 */
export const until = async (condition, what, deadlineMs = 30_000) => {
  const started = performance.now()
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() - started > deadlineMs) {
      const text = typeof what === 'function' ? what() : what
      throw new Error(`not within ${deadlineMs / 1000} s: ${text}`)
    }
    await pause(LOOK_EVERY_MS)
  }
}

/**
 * Time that passes in the story itself: the moment of a crash, the length of an absence. Never a wait for an outcome.
 *
 * @param {number} ms
 */
export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
