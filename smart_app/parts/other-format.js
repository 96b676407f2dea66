// @ts-check
/** Another format for a draft that is there: asked for by a button of its own, because every section is open again then. */
import { make, makeButton, setAttributes, setText } from "../element.js";
import { words } from "../words.js";
import { FormatChoice } from "./format-choice.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../visit.js").Visit} Visit */

export class OtherFormat extends HTMLElement {
  #visit;
  #hindrance;
  #onUsed;
  #summary = make("summary");
  #format = new FormatChoice();
  #use = makeButton("", () => void this.#ask(), { class: "primary" });
  #why = make("p", { class: "quiet", role: "status" });
  #refusal = make("p", { class: "notice", role: "alert", dir: "auto" });
  #fold = make("details", { class: "fold" }, this.#summary);
  /** @type {View | null} */
  #view = null;

  /**
   * @param {Visit} visit
   * @param {{hindrance: () => string, onUsed: (title: string) => void}} around hindrance: what must be done first
   */
  constructor(visit, { hindrance, onUsed }) {
    super();
    this.#visit = visit;
    this.#hindrance = hindrance;
    this.#onUsed = onUsed;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.#fold.append(
      make("div", { class: "card stack" }, make("p", {}, words.review.otherFormatWords), this.#format, make("div", { class: "row" }, this.#use, this.#why)),
    );
    this.append(this.#fold);
    this.#format.addEventListener("change", () => this.explain());
  }

  /** @param {View} view @param {boolean} deciding */
  show(view, deciding) {
    this.#view = view;
    this.hidden = !deciding || view.formats.length < 2;
    setText(this.#summary, words.review.otherFormat(this.#titleOf(view.format)));
    this.#format.show(view);
    this.explain();
  }

  /** Say what is missing before the format may be changed. */
  explain() {
    const why = this.#findHindrance();
    setText(this.#use, words.review.useFormat(this.#titleOf(this.#format.value)));
    this.#use.hidden = this.#format.value === this.#view?.format;
    setText(this.#why, why);
    setAttributes(this.#use, { "aria-disabled": why === "" ? null : "true" });
  }

  #findHindrance() {
    return this.#format.value === this.#view?.format ? words.review.needFormat : this.#hindrance();
  }

  /** @param {string | null} id @returns {string} */
  #titleOf(id) {
    return this.#view?.formats.find((format) => format.id === id)?.title ?? "";
  }

  async #ask() {
    const format = this.#format.value;
    if (this.#findHindrance() !== "" || this.#use.getAttribute("aria-busy") === "true") return;
    setAttributes(this.#use, { "aria-busy": "true" });
    this.#refusal.remove();
    const onTrouble = (/** @type {string} */ message) => {
      setText(this.#refusal, message);
      this.#fold.lastElementChild?.append(this.#refusal);
    };
    const used = await this.#visit.act("api/format", { format }, { onTrouble });
    setAttributes(this.#use, { "aria-busy": null });
    if (!used) return;
    this.#fold.open = false;
    this.#onUsed(this.#titleOf(format));
  }
}

customElements.define("other-format", OtherFormat);
