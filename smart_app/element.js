// @ts-check
/**
 * Building the document: every element of the page is made here, from text and attributes, never from markup.
 *
 * @typedef {string | number | boolean | null | undefined} Attribute
 * @typedef {Node | string | null | undefined | false} Child
 */

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, Attribute>} [attributes] false, null and undefined leave one out; true sets an empty one
 * @param {...Child} children strings become text
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/**
 * Set or remove attributes; handlers and inline styles are refused, as the page's CSP would.
 *
 * @param {Element} element
 * @param {Record<string, Attribute>} attributes
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on") || name === "style") throw new Error(`not as an attribute: ${name}`);
    const wanted = value === true ? "" : value === false || value === null || value === undefined ? null : String(value);
    if (wanted === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
  }
}

/**
 * A push button with its action.
 *
 * @param {string} label
 * @param {() => void} act
 * @param {Record<string, Attribute>} [attributes]
 * @returns {HTMLButtonElement}
 */
export function makeButton(label, act, attributes = {}) {
  const button = make("button", { type: "button", ...attributes }, label);
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") act();
  });
  return button;
}

/**
 * A text area that no browser remembers, corrects, translates or sends away for checking.
 *
 * @param {Record<string, Attribute>} attributes
 * @returns {HTMLTextAreaElement}
 */
export function makeTextArea(attributes) {
  return make("textarea", { ...privateField, dir: "auto", ...attributes });
}

/** What keeps a field's words in the page. */
const privateField = {
  autocomplete: "off",
  autocorrect: "off",
  autocapitalize: "off",
  spellcheck: "false",
  writingsuggestions: "false",
  translate: "no",
  "data-gramm": "false",
  "data-gramm_editor": "false",
  "data-enable-grammarly": "false",
  "data-lpignore": "true",
  "data-1p-ignore": true,
};

/**
 * Set an element's text if it differs, so that a screen reader isn't told twice.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Bring a list's children in line with its items and keep the elements (and so the focus) of those that stay.
 *
 * @template Item
 * @template {HTMLElement} Row
 * @param {HTMLElement} list
 * @param {readonly Item[]} items
 * @param {(item: Item) => string | number} keyOf
 * @param {(item: Item) => Row} create
 * @param {(row: Row, item: Item) => void} [update]
 */
export function arrange(list, items, keyOf, create, update) {
  const before = new Map([...list.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  /** @type {Element | null} */
  let place = list.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let row = /** @type {Row | undefined} */ (before.get(key));
    before.delete(key);
    if (row === undefined) {
      row = create(item);
      row.dataset.key = key;
    }
    update?.(row, item);
    if (row === place) place = row.nextElementSibling;
    else list.insertBefore(row, place);
  }
  for (const gone of before.values()) gone.remove();
}

let lastId = 0;

/** @returns {string} an id no other element has */
export function makeId() {
  lastId += 1;
  return `e${lastId}`;
}

const SVG = "http://www.w3.org/2000/svg";

/** The page's few pictures, each one path on a 16 × 16 field. */
const PATHS = {
  yes: "M3 8.5l3.2 3.2L13 5",
  no: "M4 4l8 8M12 4l-8 8",
  ask: "M8 11.9v.2M5.8 6a2.2 2.2 0 1 1 3.3 1.9C8.3 8.4 8 8.8 8 9.7",
  play: "M6 4.5l5 3.5-5 3.5z",
  stop: "M4.5 4.5h7v7h-7z",
};

/**
 * @param {keyof typeof PATHS} name
 * @returns {SVGElement} decorative: the words beside it say the same
 */
export function makePicture(name) {
  const picture = document.createElementNS(SVG, "svg");
  setAttributes(picture, { viewBox: "0 0 16 16", class: `picture picture-${name}`, "aria-hidden": "true", focusable: "false" });
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  picture.append(path);
  return picture;
}
