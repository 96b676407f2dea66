// @ts-check
/** Somebody in the room whom the EHR does not list: who it is, and what she answered. No name is asked for. */
import { arrange, make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { words } from "../words.js";
import { makeAnswers, readAnswers } from "./person-row.js";

/** @typedef {import("../view.js").Choice} Choice */

export class AddPerson extends HTMLElement {
  #onAdd;
  #onLeave;
  #role = make("select", { id: makeId(), autocomplete: "off" });
  #why = make("p", { class: "quiet", role: "status" });
  #save = makeButton(words.room.save, () => void this.#add(), { class: "primary" });
  #place = make("div", { class: "person-answers" });
  /** @type {ReturnType<typeof makeAnswers>} */
  #answers = new Map();

  /**
   * @param {(role: string, answers: Record<string, string>) => Promise<boolean>} onAdd
   * @param {() => void} onLeave
   */
  constructor(onAdd, onLeave) {
    super();
    this.#onAdd = onAdd;
    this.#onLeave = onLeave;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const field = make("div", { class: "field" }, make("label", { for: this.#role.id }, words.room.role), this.#role);
    const buttons = make("div", { class: "row" }, this.#save, makeButton(words.room.leave, () => this.#onLeave()), this.#why);
    this.append(make("fieldset", { class: "add-person" }, make("legend", {}, words.room.adding), field, this.#place, buttons));
    this.addEventListener("change", () => this.#explain());
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#onLeave();
    });
  }

  /** @param {readonly Choice[]} roles @param {readonly Choice[]} questions */
  open(roles, questions) {
    const choices = [{ id: "", label: words.room.chooseRole }, ...roles];
    arrange(this.#role, choices, ({ id }) => id, ({ id, label }) => make("option", { value: id }, label));
    this.#role.value = "";
    this.#answers = makeAnswers(questions);
    this.#place.replaceChildren(...this.#answers.values());
    this.#explain();
    this.#role.focus();
  }

  #explain() {
    const missing = this.#role.value === "";
    setText(this.#why, missing ? words.room.needRole : "");
    setAttributes(this.#save, { "aria-disabled": missing ? "true" : null });
  }

  async #add() {
    if (this.#role.value === "" || this.#save.getAttribute("aria-busy") === "true") return;
    setAttributes(this.#save, { "aria-busy": "true" });
    const added = await this.#onAdd(this.#role.value, readAnswers(this.#answers));
    setAttributes(this.#save, { "aria-busy": null });
    if (added) this.#onLeave();
  }
}

customElements.define("add-person", AddPerson);
