// @ts-check
/** What the visit is busy with, how far it is, in words and a bar. */
import { make, makeId, setText } from "../element.js";

export class WorkProgress extends HTMLElement {
  #words = make("label", { for: makeId() });
  #bar = make("progress", { max: 1, id: this.#words.htmlFor });

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(this.#words, this.#bar);
    this.hidden = true;
  }

  /** @param {import("../view.js").Working | null} working */
  show(working) {
    this.hidden = working === null;
    if (working === null) return;
    setText(this.#words, working.words || working.what);
    if (working.done > 0) this.#bar.value = Math.min(1, working.done);
    else this.#bar.removeAttribute("value");
  }
}

customElements.define("work-progress", WorkProgress);
