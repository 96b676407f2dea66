// @ts-check
/** Phase `handing-over`: the text, once, for the EHR's own editor; the clinician confirms it is there. */
import { make, makeButton, makeId, makeTextArea, setAttributes, setText } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../visit.js").Visit} Visit */

export class HandOver extends HTMLElement {
  heading = make("h2", { tabindex: -1 }, words.handOver.title);
  #visit;
  #intro = make("p", { dir: "auto" });
  #text = makeTextArea({ id: makeId(), rows: 16, readonly: true });
  #copied = make("p", { class: "quiet", role: "status" });
  #box = make("input", { type: "checkbox", id: makeId(), autocomplete: "off" });
  #done = makeButton(words.handOver.done, () => void this.#confirm(), { class: "primary", "aria-describedby": makeId() });
  #why = make("p", { class: "quiet", role: "status", id: this.#done.getAttribute("aria-describedby") }, words.handOver.needCheck);
  #wasCopied = false;

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#visit = visit;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(
      this.heading,
      make(
        "div",
        { class: "card stack" },
        this.#intro,
        make("div", { class: "field" }, make("label", { for: this.#text.id }, words.handOver.text), this.#text),
        make("div", { class: "row" }, makeButton(words.handOver.copy, () => void this.#copy(), { class: "primary" }), this.#copied),
        make("p", { class: "check" }, this.#box, make("label", { for: this.#box.id }, words.handOver.confirm)),
        make("div", { class: "row" }, this.#done, this.#why),
      ),
    );
    this.#box.addEventListener("change", () => this.#explain());
    this.#explain();
  }

  /** @param {View} view */
  show(view) {
    setText(this.#intro, words.handOver.words(view.ehr.name));
    // Shown once: a later view that no longer carries the text does not take it away before it is confirmed.
    if (view.handover_text !== null) this.#text.value = view.handover_text;
  }

  async #copy() {
    this.#wasCopied = true;
    try {
      await navigator.clipboard.writeText(this.#text.value);
      setText(this.#copied, words.handOver.copied);
    } catch {
      this.#text.focus();
      this.#text.select();
      // A frame without the clipboard permission still lets a press of the button copy a selection.
      setText(this.#copied, document.execCommand("copy") ? words.handOver.copied : words.handOver.notCopied);
    }
  }

  async #confirm() {
    if (!this.#box.checked) return;
    const cleared = await this.#clearClipboard();
    if (await this.#visit.act("api/handed-over", {})) {
      this.#text.value = "";
      if (!cleared) this.#visit.say(words.handOver.clipboardKept);
    }
  }

  /** @returns {Promise<boolean>} whether nothing of the note can be left in the clipboard from here */
  async #clearClipboard() {
    if (!this.#wasCopied) return true;
    try {
      await navigator.clipboard.writeText("");
      return true;
    } catch {
      return false;
    }
  }

  #explain() {
    setAttributes(this.#done, { "aria-disabled": this.#box.checked ? null : "true" });
    setText(this.#why, this.#box.checked ? "" : words.handOver.needCheck);
  }
}

customElements.define("hand-over", HandOver);
