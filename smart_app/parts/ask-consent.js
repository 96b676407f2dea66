// @ts-check
/**
 * The page to read with the patient: the questions in her language, each with its own answer, and who answered, how,
 * when and before whom. Nothing is sent before it is saved; what is not saved goes with this element.
 */
import { Trouble, readWording } from "../api.js";
import { make, makeButton, setAttributes, setText } from "../element.js";
import { listQuestions } from "../view.js";
import { words } from "../words.js";
import { AskDetails } from "./ask-details.js";
import { AskQuestion, describeLanguage } from "./ask-question.js";
import { RadioRow } from "./radio-row.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Wording} Wording */
/** @typedef {import("../visit.js").Visit} Visit */

export class AskConsent extends HTMLElement {
  heading = make("h2", { tabindex: -1 }, words.asking.title);
  #visit;
  #onClose;
  #head;
  #hint;
  #languages;
  #title = make("h3", { class: "reading-title" });
  #lead = make("p", { class: "reading-lead" });
  #intro = make("div", { class: "reading-text" }, this.#title, this.#lead);
  #state = make("p", { role: "status" }, words.asking.loading);
  #again = makeButton(words.asking.again, () => void this.#load(), { hidden: true });
  #questions;
  #details;
  #body;
  #toSave = make("p", { role: "status", dir: "auto" });
  #failed = make("p", { class: "notice", role: "status", dir: "auto", hidden: true });
  #save = makeButton(words.asking.save, () => void this.#send(), { class: "primary" });
  #back = makeButton(words.asking.back, () => this.#onClose(false));
  #loads = 0;
  #saving = false;

  /**
   * @param {Visit} visit
   * @param {View} view
   * @param {{paused: boolean, onClose: (saved: boolean) => void}} options paused: a microphone waits meanwhile
   */
  constructor(visit, view, { paused, onClose }) {
    super();
    this.#visit = visit;
    this.#onClose = onClose;
    const { languages } = view.asking;
    this.#languages = new RadioRow(words.asking.language, languages, languages[0]?.id);
    this.#languages.hidden = languages.length < 2;
    this.#questions = listQuestions(view).map((consent) => new AskQuestion(consent));
    this.#details = new AskDetails(view.asking);
    const attest = view.asking.how === "attest" && make("p", { class: "notice", dir: "auto" }, words.asking.attest(view.ehr.name));
    const finish = make("div", { class: "row" }, this.#save, this.#back);
    const back = makeButton(words.asking.back, () => this.#onClose(false), { class: "quiet-button" });
    this.#head = make("div", { class: "row spread" }, this.heading, back);
    this.#hint = make("p", { class: "quiet" }, [words.asking.hint, paused && words.asking.paused].filter(Boolean).join(" "));
    this.#body = make(
      "div",
      { class: "stack", hidden: true },
      this.#intro,
      ...this.#questions,
      make("div", { class: "card ask-finish" }, this.#details, attest || null, this.#toSave, this.#failed, finish),
    );
    this.#languages.addEventListener("change", () => void this.#load());
    this.#body.addEventListener("change", () => this.#explain());
    this.#body.addEventListener("input", () => this.#explain());
    this.#explain();
    this.show(view);
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(this.#head, this.#hint, this.#languages, this.#state, this.#again, this.#body);
    void this.#load();
  }

  /** @param {View} view */
  show(view) {
    for (const question of this.#questions) {
      const consent = view.consents.find(({ activity }) => activity === question.activity);
      if (consent !== undefined) question.showConsent(consent);
    }
    const reading = view.working?.what === "answers" || view.working?.what === "consent";
    if (!this.#saving || this.#save.getAttribute("aria-busy") === "true") return;
    if (reading) return setText(this.#toSave, view.working?.words || words.asking.saving);
    this.#settle(view.problem?.message ?? "");
  }

  /** The page in the chosen language; answers given already stay. */
  async #load() {
    const load = (this.#loads += 1);
    this.#again.hidden = true;
    setText(this.#state, words.asking.loading);
    this.#state.hidden = false;
    try {
      const wording = await readWording(this.#languages.value);
      if (load === this.#loads) this.#showWording(wording);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (load !== this.#loads) return;
      setText(this.#state, error.message);
      this.#again.hidden = false;
    }
  }

  /** @param {Wording} wording */
  #showWording(wording) {
    setAttributes(this.#intro, describeLanguage(wording.language));
    setText(this.#title, wording.title);
    setText(this.#lead, wording.lead);
    for (const question of this.#questions) question.showWording(wording);
    this.#state.hidden = true;
    this.#body.hidden = false;
  }

  get #answers() {
    return this.#questions.filter(({ answer }) => answer !== "");
  }

  get #hindrance() {
    return this.#answers.length === 0 ? words.asking.needAnswer : this.#details.hindrance;
  }

  #explain() {
    const hindrance = this.#hindrance;
    const { yes, no } = words.asking.answers;
    const answers = this.#answers.map(({ label, answer }) => `${label}: ${(answer === "yes" ? yes : no).toLowerCase()}`);
    setText(this.#toSave, hindrance || words.asking.toSave([...answers, this.#details.said].join("; ")));
    setAttributes(this.#save, { "aria-disabled": hindrance === "" ? null : "true" });
  }

  async #send() {
    if (this.#saving || this.#hindrance !== "") return;
    this.#busy = true;
    setText(this.#toSave, words.asking.saving);
    this.#failed.hidden = true;
    const answers = Object.fromEntries(this.#answers.map(({ activity, answer }) => [activity, answer]));
    const done = await this.#visit.act("api/answers", { language: this.#languages.value, ...this.#details.body, answers });
    setAttributes(this.#save, { "aria-busy": null });
    if (!done) return this.#settle(this.#visit.trouble?.message ?? words.trouble.unclear);
    if (this.#visit.view !== null) this.show(this.#visit.view);
  }

  /** @param {boolean} busy */
  set #busy(busy) {
    this.#saving = busy;
    for (const part of [...this.#questions, this.#details]) part.busy = busy;
    setAttributes(this.#save, { "aria-busy": busy ? "true" : null, "aria-disabled": busy ? "true" : null });
    setAttributes(this.#back, { "aria-disabled": busy ? "true" : null });
  }

  /** The visit has read the answers back, or says why not. @param {string} problem */
  #settle(problem) {
    this.#busy = false;
    if (problem === "") return this.#onClose(true);
    setText(this.#failed, words.asking.notSaved(problem));
    this.#failed.hidden = false;
    this.#explain();
  }
}

customElements.define("ask-consent", AskConsent);
