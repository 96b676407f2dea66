// @ts-check
/** The formats of the note, as one row of radio buttons. */
import { arrange, make, makeId } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */

export class FormatChoice extends HTMLElement {
  #name = makeId();
  #legend;
  #row = make("div", { class: "formats" });
  /** @type {string | null} what the clinician chose here; until then the visit's own format holds */
  #chosen = null;
  #default = "";

  constructor(legend = words.choosing.format) {
    super();
    this.#legend = make("legend", {}, legend);
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(make("fieldset", { class: "format-choice" }, this.#legend, this.#row));
    this.addEventListener("change", (event) => {
      if (event.target instanceof HTMLInputElement) this.#chosen = event.target.value;
    });
  }

  /** @returns {string} the id of the chosen format */
  get value() {
    return this.#chosen ?? this.#default;
  }

  /** @param {View} view */
  show(view) {
    this.hidden = view.formats.length === 0;
    this.#default = view.format ?? view.formats[0]?.id ?? "";
    arrange(
      this.#row,
      view.formats,
      (format) => format.id,
      ({ id, title }) => {
        const box = make("input", { type: "radio", name: this.#name, value: id, id: makeId(), autocomplete: "off" });
        return make("span", { class: "format" }, box, make("label", { for: box.id }, title));
      },
      (row, { id }) => {
        /** @type {HTMLInputElement} */ (row.firstElementChild).checked = id === this.value;
      },
    );
  }
}

customElements.define("format-choice", FormatChoice);
