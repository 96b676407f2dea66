// @ts-check
/** A phase in which the clinician only waits: reading the chart, filing. */
import { make } from "../element.js";
import { WorkProgress } from "./work-progress.js";

export class WaitPanel extends HTMLElement {
  heading;
  #words;
  #progress = new WorkProgress();

  /** @param {{title: string, words: string}} wording */
  constructor({ title, words }) {
    super();
    this.heading = make("h2", { tabindex: -1 }, title);
    this.#words = make("p", {}, words);
  }

  connectedCallback() {
    if (this.firstChild === null) this.append(make("div", { class: "card" }, this.heading, this.#words, this.#progress));
  }

  /** @param {import("../view.js").View} view */
  show(view) {
    this.#progress.show(view.working ?? { what: "", done: 0, words: " " });
  }
}

customElements.define("wait-panel", WaitPanel);
