// Names of rooms: what the server takes, and how one stands in the address.

const BYTES_MAX = 256

/** Says in words for people what is wrong with a name, or nothing. */
export const problemWith = name => {
  if (name.trim() === '') return 'Type a name first.'
  if (/\p{Cc}/u.test(name)) return 'A name cannot hold line breaks or other invisible control characters.'
  if (new TextEncoder().encode(name).length > BYTES_MAX) return 'This name is too long. Use a shorter one.'
  return ''
}

export const nameInHash = hash => {
  const raw = hash.replace(/^#/, '')
  let name = raw
  try {
    name = decodeURIComponent(raw)
  } catch {
    // What is no escape stands for itself.
  }
  return problemWith(name) ? '' : name
}

export const hashOf = name => `#${encodeURIComponent(name)}`
