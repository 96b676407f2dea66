// @ts-check
/** The formats of the note, as one row of radio buttons. */
import { words } from "../words.js";
import { RadioRow } from "./radio-row.js";

/** @typedef {import("../view.js").View} View */

export class FormatChoice extends HTMLElement {
  #row;
  /** @type {string | null} what the clinician chose here; until then the visit's own format holds */
  #chosen = null;
  #default = "";

  constructor(legend = words.choosing.format) {
    super();
    this.#row = new RadioRow(legend);
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(this.#row);
    this.addEventListener("change", () => (this.#chosen = this.#row.value));
  }

  /** @returns {string} the id of the chosen format */
  get value() {
    return this.#chosen ?? this.#default;
  }

  /** @param {View} view */
  show(view) {
    this.hidden = view.formats.length === 0;
    this.#default = view.format ?? view.formats[0]?.id ?? "";
    this.#row.show(view.formats.map(({ id, title }) => ({ id, label: title })), this.value);
  }
}

customElements.define("format-choice", FormatChoice);
