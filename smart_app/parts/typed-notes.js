// @ts-check
/**
 * What the clinician types: rough notes and her own observations, or the note that is to be tidied. It is sent a
 * moment after she stops typing; the page's words are the newer ones until the visit has them.
 */
import { make, makeId, makeTextArea, setText } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../visit.js").Visit} Visit */

const SEND_AFTER_MS = 800;
const RETRY_MS = 2000;

export class TypedNotes extends HTMLElement {
  #visit;
  #tidy;
  #text = makeTextArea({ id: makeId(), rows: 8, "aria-describedby": makeId() });
  #observations = makeTextArea({ id: makeId(), rows: 3, "aria-describedby": makeId() });
  #state = make("p", { class: "quiet keep-state", role: "status" });
  #dirty = false;
  #touched = false;
  #lost = false; // the visit was gone when the words were sent
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Visit} visit @param {string | null} way */
  constructor(visit, way) {
    super();
    this.#visit = visit;
    this.#tidy = way === "tidy";
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const all = words.gathering;
    const notes = /** @type {const} */ ([
      [this.#text, all.notes, all.notesHint],
      [this.#observations, all.observations, all.observationsHint],
    ]);
    const note = /** @type {const} */ ([[this.#text, all.tidy, all.tidyHint]]);
    for (const [field, label, hint] of this.#tidy ? note : notes) {
      const about = make("p", { class: "quiet hint", id: field.getAttribute("aria-describedby") }, hint);
      this.append(make("div", { class: "field" }, make("label", { for: field.id }, label), about, field));
      field.addEventListener("input", () => this.#change());
    }
    this.append(this.#state);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  /** @returns {boolean} whether there are words the visit does not have yet */
  get unsent() {
    return this.#dirty;
  }

  /** @returns {boolean} */
  get hasWords() {
    return `${this.#text.value}${this.#observations.value}`.trim() !== "";
  }

  /** @param {import("../view.js").View} view */
  show(view) {
    if (this.#lost) {
      this.#lost = false; // it answers again
      this.#sendIn(RETRY_MS);
    }
    if (this.#touched) return;
    this.#text.value = view.typed.text;
    this.#observations.value = view.typed.observations;
  }

  /**
   * Send what the visit does not have yet.
   *
   * @returns {Promise<boolean>} whether the visit now has all of it
   */
  async flush() {
    clearTimeout(this.#timer);
    if (!this.#dirty) return true;
    this.#dirty = false;
    setText(this.#state, words.gathering.saving);
    const body = { text: this.#text.value, observations: this.#observations.value };
    if (await this.#visit.act("api/typed", body)) {
      if (!this.#dirty) setText(this.#state, words.gathering.saved);
      return true;
    }
    this.#dirty = true;
    setText(this.#state, words.gathering.unsaved);
    const kind = this.#visit.trouble?.kind;
    this.#lost = kind === "forbidden" || kind === "missing";
    if (this.isConnected && kind === "offline") this.#sendIn(RETRY_MS);
    return false;
  }

  /** @param {number} wait milliseconds from now, in place of an earlier plan */
  #sendIn(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), wait);
  }

  #change() {
    this.#touched = true;
    this.#dirty = true;
    this.#sendIn(SEND_AFTER_MS);
    this.dispatchEvent(new CustomEvent("typed", { bubbles: true }));
  }
}

customElements.define("typed-notes", TypedNotes);
