// @ts-check
/**
 * What is drafted and checked while the session goes on, folded away: to read, not to decide on. It takes no focus, is
 * not announced, and is no higher than a part of the window, so that nothing moves under one who talks.
 */
import { arrange, make, setText } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Section} Section */

export class DraftSoFar extends HTMLElement {
  #summary = make("summary");
  #withheld = make("p", { class: "quiet" });
  #sections = make("div", { class: "stack" });

  connectedCallback() {
    if (this.firstChild !== null) return;
    const box = make("div", { class: "so-far", tabindex: 0, role: "group", "aria-label": words.soFar.label }, this.#sections, this.#withheld);
    this.append(make("details", { class: "fold" }, this.#summary, make("p", { class: "quiet" }, words.soFar.about), box));
    this.hidden = true;
  }

  /** @param {View} view */
  show({ sections, withheld }) {
    const written = sections.filter(({ statements }) => statements.length > 0);
    const count = written.reduce((sum, { statements }) => sum + statements.length, 0);
    this.hidden = count + withheld.length === 0;
    setText(this.#summary, words.soFar.title(count));
    arrange(this.#sections, written, ({ id }) => id, createSection, showStatements);
    setText(this.#withheld, words.soFar.withheld(withheld.length));
    this.#withheld.hidden = withheld.length === 0;
  }
}

/** @param {Section} section */
function createSection({ title }) {
  return make("div", {}, make("h4", {}, title), make("ul", { class: "so-far-list" }));
}

/** @param {HTMLElement} part @param {Section} section */
function showStatements(part, { statements }) {
  arrange(
    /** @type {HTMLElement} */ (part.lastElementChild),
    statements,
    ({ number, text }) => `${number} ${text}`,
    ({ text, risk }) => make("li", { dir: "auto" }, risk && make("strong", { class: "risk-tag" }, `${words.review.risk} `), text),
  );
}

customElements.define("draft-so-far", DraftSoFar);
