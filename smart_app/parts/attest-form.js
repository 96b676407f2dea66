// @ts-check
/** The note's head and how it was made, the clinician's attestation, and filing exactly what was shown. */
import { arrange, make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { countOpen } from "../view.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../visit.js").Visit} Visit */

export class AttestForm extends HTMLElement {
  #visit;
  #unsavedEdits;
  #title = make("h3", { id: makeId() }, words.attest.title);
  #head = make("dl", { class: "head" });
  #made = make("p", { dir: "auto" });
  #box = make("input", { type: "checkbox", id: makeId(), autocomplete: "off" });
  #sentence = make("label", { for: this.#box.id, dir: "auto" });
  #file = makeButton(words.attest.file, () => void this.#askFiling(), { class: "primary", "aria-describedby": makeId() });
  #why = make("p", { class: "quiet", role: "status", id: this.#file.getAttribute("aria-describedby") });
  /** @type {View | null} */
  #view = null;

  /**
   * @param {Visit} visit
   * @param {() => string[]} unsavedEdits titles of edits that are not saved
   */
  constructor(visit, unsavedEdits) {
    super();
    this.#visit = visit;
    this.#unsavedEdits = unsavedEdits;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", this.#title.id);
    this.append(
      this.#title,
      make("div", { class: "part" }, make("h4", {}, words.attest.head), this.#head),
      make("div", { class: "part made" }, this.#made),
      make("p", { class: "check" }, this.#box, this.#sentence),
      make("div", { class: "row" }, this.#file, this.#why),
    );
    this.#box.addEventListener("change", () => this.explain());
  }

  /** @param {View} view */
  show(view) {
    // A tick says "I have reviewed what is here": what changes under it takes it away.
    if (this.#view !== null && this.#view.version !== view.version && noteOf(this.#view) !== noteOf(view)) this.#box.checked = false;
    this.#view = view;
    arrange(
      this.#head,
      view.head,
      ({ label, value }) => `${label} ${value}`,
      ({ label, value }) => make("div", {}, make("dt", {}, label), make("dd", { dir: "auto" }, value)),
    );
    setText(this.#made, view.made);
    setText(this.#sentence, view.attestation);
    setText(this.#file, view.ehr.unsigned_notes ? words.attest.file : words.attest.handOver);
    this.explain();
  }

  /** Say what is still missing before the note may be filed. */
  explain() {
    const hindrance = this.#hindrance;
    setText(this.#why, hindrance || (this.#view?.ehr.unsigned_notes ? words.attest.fileHint : ""));
    setAttributes(this.#file, { "aria-disabled": hindrance === "" ? null : "true" });
  }

  get #hindrance() {
    const open = this.#view?.open_decisions ?? 0;
    const edits = this.#unsavedEdits();
    if (edits.length > 0) return words.review.editOpen(edits.join(", "));
    if (open > 0) return words.attest.needDecisions(open, describeOpen(this.#view));
    return this.#box.checked ? "" : words.attest.needCheck;
  }

  async #askFiling() {
    if (this.#view === null || this.#hindrance !== "" || this.#file.getAttribute("aria-busy") === "true") return;
    setAttributes(this.#file, { "aria-busy": "true" });
    await this.#visit.act("api/file", { attested: this.#box.checked, version: this.#view.version });
    setAttributes(this.#file, { "aria-busy": null });
  }
}

/** @param {View | null} view @returns {string} what is still open, by kind */
export function describeOpen(view) {
  return view === null ? "" : words.review.openWhat(countOpen(view));
}

/** @param {View} view @returns {string} what would be filed, to compare */
function noteOf({ sections, head, made, attestation }) {
  return JSON.stringify([sections, head, made, attestation]);
}

customElements.define("attest-form", AttestForm);
