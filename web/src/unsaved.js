// Rooms with edits that the server has not confirmed, whether they are shown or were left.

const unsaved = new Set()

export const setUnsaved = (name, is) => is ? unsaved.add(name) : unsaved.delete(name)

export const unsavedRooms = () => [...unsaved]

addEventListener('beforeunload', event => {
  if (unsaved.size > 0) event.preventDefault()
})
