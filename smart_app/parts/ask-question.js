// @ts-check
/** One question of the page that is read with the patient: its parts in the patient's language, and its answer. */
import { make, makeId, setAttributes } from "../element.js";
import { words } from "../words.js";
import { RadioRow } from "./radio-row.js";

/** @typedef {import("../view.js").Consent} Consent */
/** @typedef {import("../view.js").Wording} Wording */

const RIGHT_TO_LEFT = new Set(["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"]);

/** The attributes of text in a language. @param {string} language such as `es` or `pt-BR` */
export function describeLanguage(language) {
  return { lang: language, dir: RIGHT_TO_LEFT.has(language.split("-")[0] ?? "") ? "rtl" : "ltr" };
}

export class AskQuestion extends HTMLElement {
  #consent;
  #text = make("div", { class: "reading-text" });
  #soFar = make("p", { class: "quiet" });
  #answer;

  /** @param {Consent} consent */
  constructor(consent) {
    super();
    this.#consent = consent;
    const { yes, no, open } = words.asking.answers;
    const options = [["yes", yes], ["no", no], ["open", open]].map(([id = "", label = ""]) => ({ id, label }));
    this.#answer = new RadioRow(words.asking.answer(consent.label), options, "open");
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(this.#text, make("div", { class: "answer" }, this.#answer, this.#soFar));
  }

  get activity() {
    return this.#consent.activity;
  }

  get label() {
    return this.#consent.label;
  }

  /** @returns {"yes" | "no" | ""} empty where it was not answered */
  get answer() {
    const { value } = this.#answer;
    return value === "yes" || value === "no" ? value : "";
  }

  /** @param {boolean} busy */
  set busy(busy) {
    this.#answer.disabled = busy;
  }

  /** The answer that counts until now. @param {Consent} consent */
  showConsent({ permitted }) {
    this.#soFar.textContent = words.asking.soFar(permitted ? words.consents.permitted : words.consents.refused);
  }

  /** @param {Wording} wording */
  showWording({ language, questions }) {
    const parts = questions.find(({ activity }) => activity === this.activity)?.parts ?? [];
    this.hidden = parts.length === 0;
    const [question, ...rest] = parts;
    if (question === undefined) return;
    const title = make("h4", { class: "reading-question", id: makeId() }, question.text);
    setAttributes(this.#text, describeLanguage(language));
    this.#text.replaceChildren(
      make("p", { class: "reading-heading" }, question.heading),
      title,
      make("dl", { class: "reading-parts" }, ...rest.map(({ heading, text }) => make("div", {}, make("dt", {}, heading), make("dd", {}, text)))),
    );
  }
}

customElements.define("ask-question", AskQuestion);
