// @ts-check
/** A button that asks once, in its place, before it acts. Esc or the second answer takes the question back. */
import { make, makeButton, setAttributes } from "../element.js";

export class ConfirmButton extends HTMLElement {
  /** @type {HTMLButtonElement} */
  #button;
  #question;
  #no;

  /**
   * @param {{label: string, question: string, yes: string, no: string, onYes: () => void, kind?: string}} wording
   */
  constructor({ label, question, yes, no, onYes, kind = "quiet-button" }) {
    super();
    this.#button = makeButton(label, () => (this.#question.hidden ? this.ask() : this.close()), {
      class: kind,
      "aria-expanded": "false",
    });
    this.#no = makeButton(no, () => this.close());
    const act = makeButton(
      yes,
      () => {
        this.close();
        onYes();
      },
      { class: "danger" },
    );
    this.#question = make(
      "div",
      { class: "question", role: "group", "aria-label": question, hidden: true },
      make("p", {}, question),
      make("div", { class: "row" }, act, this.#no),
    );
    this.#question.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  connectedCallback() {
    if (this.firstChild === null) this.append(this.#button, this.#question);
  }

  ask() {
    this.#question.hidden = false;
    setAttributes(this.#button, { "aria-expanded": "true" });
    this.#no.focus();
  }

  close() {
    const held = this.#question.contains(document.activeElement);
    this.#question.hidden = true;
    setAttributes(this.#button, { "aria-expanded": "false" });
    if (held) this.#button.focus();
  }
}

customElements.define("confirm-button", ConfirmButton);
