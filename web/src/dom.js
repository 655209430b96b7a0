// The few things that every view does with the document. Text only ever goes in as text.

export const by = id => document.getElementById(id)

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** Replaces the children of `parent` only if they would differ, so that focus and animations stay. */
export const fill = (parent, children) => {
  const next = make(parent.tagName, {}, ...children)
  if (next.innerHTML !== parent.innerHTML || next.children.length !== parent.children.length) {
    parent.replaceChildren(...next.childNodes)
    return true
  }
  return false
}

/** Has screen readers say something. */
export const announce = text => {
  by('announcer').textContent = ''
  // A change within one frame is not noticed when the text is the same as before.
  requestAnimationFrame(() => { by('announcer').textContent = text })
}
