// @ts-check
/** The keys, shown on `?`, and the switch that turns the single keys off (WCAG 2.2, 2.1.4). */
import { make, makeButton, makeId } from "../element.js";
import { words } from "../words.js";

export class KeyList extends HTMLElement {
  #switch = make("input", { type: "checkbox", id: makeId(), checked: true, autocomplete: "off" });
  #title = make("h2", { tabindex: -1 }, words.keys.title);
  /** @type {Element | null} */
  #before = null;

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.hidden = true;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", words.keys.title);
    const rows = words.keys.list.flatMap(([key, does]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, does)]);
    this.append(
      make("div", { class: "row spread" }, this.#title, makeButton(words.keys.close, () => this.toggle(), { class: "quiet-button" })),
      make("dl", { class: "keys" }, ...rows),
      make("p", { class: "check" }, this.#switch, make("label", { for: this.#switch.id }, words.keys.single)),
    );
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.toggle();
    });
  }

  /** @returns {boolean} whether single keys act */
  get singleKeys() {
    return this.#switch.checked;
  }

  toggle() {
    this.hidden = !this.hidden;
    if (!this.hidden) {
      this.#before = document.activeElement;
      this.#title.focus();
    } else if (this.#before instanceof HTMLElement && this.#before.isConnected) {
      this.#before.focus();
    }
  }
}

customElements.define("key-list", KeyList);
