// @ts-check
/** What was read from the EHR for this visit, folded. */
import { arrange, make, setText } from "../element.js";
import { words } from "../words.js";

export class ReadList extends HTMLElement {
  #summary = make("summary");
  #list = make("ul", { class: "read-list" });

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(make("details", { class: "fold" }, this.#summary, make("p", { class: "quiet" }, words.read.note), this.#list));
    this.hidden = true;
  }

  /** @param {import("../view.js").View} view */
  show(view) {
    this.hidden = view.read.length === 0;
    setText(this.#summary, words.read.title(view.read.length));
    arrange(
      this.#list,
      view.read,
      (item) => `${item.what} ${item.reference}`,
      ({ reference, what }) => make("li", {}, make("bdi", {}, what), " ", make("code", {}, reference)),
    );
  }
}

customElements.define("read-list", ReadList);
