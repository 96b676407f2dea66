// @ts-check
/** A permission that ended during the visit: what is gone for it and what remains, until the clinician has read it. */
import { make, makeButton, setText } from "../element.js";
import { words } from "../words.js";
import { showVersion } from "./consent-lights.js";

/** @typedef {import("../view.js").View} View */

export class TakenBack extends HTMLElement {
  #title = make("strong", { dir: "auto" });
  #words = make("span", { dir: "auto" });
  #alert = make("div", { role: "alert" });
  #message = make("p", {}, this.#title, " ", this.#words);
  #read = "";
  #now = "";

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", words.takenBack.label);
    this.append(this.#alert, makeButton(words.takenBack.dismiss, () => this.#dismiss()));
    this.hidden = true;
  }

  /** @param {View} view */
  show({ taken_back: taken }) {
    this.#now = taken === null ? "" : JSON.stringify(taken);
    if (taken === null) this.#read = "";
    this.hidden = taken === null || this.#now === this.#read;
    if (taken === null || this.hidden) {
      this.#message.remove();
      return;
    }
    const named = taken.labels.every((label) => taken.words.includes(label));
    setText(this.#title, named ? "" : words.takenBack.title(taken.labels));
    setText(this.#words, showVersion(taken.words));
    if (this.#message.parentNode === null) this.#alert.append(this.#message); // put in anew, so that it is said
  }

  #dismiss() {
    this.#read = this.#now;
    this.hidden = true;
    this.#message.remove();
    this.dispatchEvent(new CustomEvent("dismissed", { bubbles: true }));
  }
}

customElements.define("taken-back", TakenBack);
