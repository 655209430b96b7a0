// What can honestly be said about the last edits. "Saved" means that the server has them on its disk.

import { count } from './format.js'

/**
 * @param {object} facts
 * @param {boolean} facts.connected - whether there is a connection
 * @param {boolean} facts.synced - whether the document on the server was received, on this connection
 * @param {number} facts.unconfirmed - messages that the server has not confirmed
 * @param {number} facts.edits - edits made here since everything was last confirmed
 * @param {boolean} facts.met - whether the document was ever received
 * @param {boolean} facts.readOnly - whether the server lets everyone here only read
 * @param {string} facts.refused - why the server does not let anyone in, if it does not
 */
export const describe = ({ connected, synced, unconfirmed, edits, met, readOnly, refused }) => {
  if (refused) return { state: 'refused', text: refused }
  if (!connected) {
    if (!met && edits === 0) return { state: 'connecting', text: 'Connecting…' }
    return { state: 'offline', text: edits > 0 ? `Offline, ${count(edits, 'unsaved edit', 'unsaved edits')}` : 'Offline' }
  }
  if (!synced) return met ? { state: 'saving', text: 'Catching up…' } : { state: 'connecting', text: 'Opening…' }
  if (readOnly && edits === 0) return { state: 'reading', text: 'Read only' }
  if (unconfirmed > 0) return { state: 'saving', text: 'Saving…' }
  return { state: 'saved', text: 'Saved' }
}
