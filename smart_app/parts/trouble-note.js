// @ts-check
/** What is in the way, in a calm alert that says what to do: the visit's own problem, or that it can't be reached. */
import { make, makeButton } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../visit.js").Visit} Visit */

export class TroubleNote extends HTMLElement {
  #alert = make("div", { role: "alert" });
  #messages = make("div", { class: "messages" });
  /** @type {HTMLButtonElement | null} */
  #again = null;
  /** @type {HTMLButtonElement | null} */
  #dismiss = null;

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", words.trouble.label);
    this.append(this.#alert);
    this.hidden = true;
  }

  /** @param {Visit} visit */
  show(visit) {
    const messages = [...new Set([visit.trouble?.message, visit.view?.problem?.message].filter((text) => !!text))];
    this.hidden = messages.length === 0;
    if (this.#again === null || this.#dismiss === null) {
      this.#again = makeButton(words.trouble.again, () => void visit.read());
      this.#dismiss = makeButton(words.trouble.dismiss, () => visit.dismiss(), { class: "quiet-button" });
      this.append(make("div", { class: "row" }, this.#again, this.#dismiss));
    }
    if (this.#messages.parentNode === null) this.#alert.append(this.#messages);
    const shown = [...this.#messages.children].map((child) => child.textContent);
    if (shown.join("\n") !== messages.join("\n")) {
      this.#messages.replaceChildren(...messages.map((text) => make("p", { dir: "auto" }, /** @type {string} */ (text))));
    }
    const kind = visit.trouble?.kind;
    this.#again.hidden = kind === undefined || kind === "refused";
    this.#dismiss.hidden = kind !== "refused";
  }
}

customElements.define("trouble-note", TroubleNote);
