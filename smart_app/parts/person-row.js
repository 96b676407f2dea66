// @ts-check
/** One person in the room: the role, the name where the record gives one, and an answer to each question. */
import { make, makeButton, setText } from "../element.js";
import { words } from "../words.js";
import { RadioRow } from "./radio-row.js";

/** @typedef {import("../view.js").Choice} Choice */
/** @typedef {import("../view.js").Person} Person */

/**
 * An answer to each question on which everybody must say yes.
 *
 * @param {readonly Choice[]} questions
 */
export function makeAnswers(questions) {
  const { yes, no, open } = words.room.answers;
  const options = [{ id: "yes", label: yes }, { id: "no", label: no }, { id: "open", label: open }];
  return new Map(questions.map(({ id, label }) => [id, new RadioRow(label, options, "open")]));
}

/** @param {ReturnType<typeof makeAnswers>} answers @returns {Record<string, string>} */
export function readAnswers(answers) {
  return Object.fromEntries([...answers].map(([id, row]) => [id, row.value || "open"]));
}

export class PersonRow extends HTMLElement {
  #role = make("strong", { dir: "auto" });
  #name = make("bdi");
  #answers;
  #remove;
  #pending = 0;
  /** @type {Person | null} */
  #person = null;

  /**
   * @param {readonly Choice[]} questions
   * @param {{answer: (answers: Record<string, string>) => Promise<unknown>, remove: () => void}} acts
   */
  constructor(questions, { answer, remove }) {
    super();
    this.#answers = makeAnswers(questions);
    this.#remove = makeButton(words.room.remove, remove, { class: "quiet-button" });
    this.addEventListener("change", async () => {
      this.#pending += 1; // what was just chosen stands until the visit has answered
      await answer(readAnswers(this.#answers));
      this.#pending -= 1;
      this.#showAnswers();
    });
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "listitem");
    const head = make("p", { class: "row spread" }, make("span", {}, this.#role, " ", this.#name), this.#remove);
    this.append(head, make("div", { class: "person-answers" }, ...this.#answers.values()));
  }

  /** @param {Person} person @param {boolean} closed whether nobody may come or go now; an answer may change at any time */
  show(person, closed) {
    const { role, name, added } = person;
    this.#person = person;
    setText(this.#role, role);
    setText(this.#name, name);
    this.#remove.setAttribute("aria-label", words.room.removeRole(role));
    this.#remove.hidden = !added;
    this.#remove.disabled = closed;
    this.#showAnswers();
  }

  #showAnswers() {
    if (this.#pending > 0 || this.#person === null) return;
    for (const [activity, row] of this.#answers) row.value = this.#person.answers[activity] ?? "open";
  }
}

customElements.define("person-row", PersonRow);
