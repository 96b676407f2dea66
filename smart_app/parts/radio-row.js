// @ts-check
/** One choice among a few: a row of radio buttons with its question. */
import { arrange, make, makeId } from "../element.js";

/** @typedef {import("../view.js").Choice} Choice */

export class RadioRow extends HTMLElement {
  #name = makeId();
  #row = make("div", { class: "choices" });
  #field;

  /** @param {string} legend @param {readonly Choice[]} [options] @param {string} [value] */
  constructor(legend, options = [], value = "") {
    super();
    this.#field = make("fieldset", { class: "radio-row" }, make("legend", { dir: "auto" }, legend), this.#row);
    this.show(options, value);
  }

  connectedCallback() {
    if (this.firstChild === null) this.append(this.#field);
  }

  /** @returns {string} the id of what is chosen; empty where nothing is */
  get value() {
    return this.#row.querySelector("input:checked")?.getAttribute("value") ?? "";
  }

  /** @param {string} value */
  set value(value) {
    for (const box of this.#row.querySelectorAll("input")) box.checked = box.value === value;
  }

  /** @param {boolean} disabled */
  set disabled(disabled) {
    this.#field.disabled = disabled;
  }

  /** @param {readonly Choice[]} options @param {string} value */
  show(options, value) {
    arrange(
      this.#row,
      options,
      (option) => option.id,
      ({ id, label }) => {
        const box = make("input", { type: "radio", name: this.#name, value: id, id: makeId(), autocomplete: "off" });
        return make("span", { class: "radio" }, box, make("label", { for: box.id, dir: "auto" }, label));
      },
    );
    this.value = value;
  }
}

customElements.define("radio-row", RadioRow);
