// @ts-check
/** About the answers: who gave them, how, when, and who witnessed it. */
import { make, makeId } from "../element.js";
import { showMoment } from "../time.js";
import { words } from "../words.js";
import { RadioRow } from "./radio-row.js";

/** @typedef {import("../view.js").Asking} Asking */

export class AskDetails extends HTMLElement {
  #performer;
  #performers;
  #how = new RadioRow(words.asking.how, listChoices(words.asking.hows), "spoken");
  #when = new RadioRow(words.asking.when, listChoices(words.asking.whens), "now");
  #givenAt = make("input", { type: "datetime-local", id: makeId(), autocomplete: "off" });
  #earlier = make("div", { class: "field", hidden: true }, make("label", { for: this.#givenAt.id }, words.asking.givenAt), this.#givenAt);
  #witness = new RadioRow(words.asking.witness, listChoices(words.asking.witnesses), "clinician");

  /** @param {Asking} asking */
  constructor({ performers }) {
    super();
    this.#performers = performers;
    // Who answered is chosen, where it could be somebody else.
    this.#performer = new RadioRow(words.asking.performer, performers, performers.length === 1 ? performers[0]?.id : "");
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(make("h3", {}, words.asking.details), this.#performer, this.#how, this.#when, this.#earlier, this.#witness);
    this.addEventListener("change", () => {
      this.#earlier.hidden = this.#when.value !== "earlier";
    });
  }

  /** @param {boolean} busy */
  set busy(busy) {
    for (const row of [this.#performer, this.#how, this.#when, this.#witness]) row.disabled = busy;
    this.#givenAt.disabled = busy;
  }

  /** @returns {string} what is still missing; empty when nothing is */
  get hindrance() {
    if (this.#performer.value === "") return words.asking.needPerformer;
    return this.#when.value === "earlier" && this.#givenAt.value === "" ? words.asking.needTime : "";
  }

  /** What is sent with the answers. */
  get body() {
    return {
      performer: this.#performer.value,
      how: this.#how.value,
      witness: this.#witness.value,
      given_at: this.#when.value === "earlier" ? this.#givenAt.value : null,
    };
  }

  /** @returns {string} the same, as it is read */
  get said() {
    const all = words.asking;
    const who = this.#performers.find(({ id }) => id === this.#performer.value)?.label ?? "";
    const how = all.hows[/** @type {keyof typeof all.hows} */ (this.#how.value)].toLowerCase();
    const when = this.#when.value === "earlier" ? showMoment(this.#givenAt.value) : all.whens.now.toLowerCase();
    const witness = all.witnessed[/** @type {keyof typeof all.witnessed} */ (this.#witness.value)];
    return [who, how, when, witness].filter(Boolean).join(", ");
  }
}

/** @param {Record<string, string>} labels */
function listChoices(labels) {
  return Object.entries(labels).map(([id, label]) => ({ id, label }));
}

customElements.define("ask-details", AskDetails);
