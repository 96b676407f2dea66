// @ts-check
/**
 * The three questions of consent, each a light with words; a click shows the reason and the Consent resources. Below
 * them the way to ask the patient, or why nobody can be asked here.
 */
import { arrange, make, makeButton, makePicture, setAttributes, setText } from "../element.js";
import { showMoment } from "../time.js";
import { listQuestions } from "../view.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Consent} Consent */

const PHASES = ["choosing", "gathering", "reviewing"];
const SAID_NO = ["refused", "revoked", "refused-by-other", "others-unanswered"]; // nobody is pressed for another answer; the others are not the patient

export class ConsentLights extends HTMLElement {
  #title = make("h2", { class: "visually-hidden", id: "consents" }, words.consents.title);
  #list = make("ul", { class: "lights" });
  #ask;
  #why = make("p", { class: "quiet", dir: "auto" });

  /** @param {() => void} onAsk */
  constructor(onAsk) {
    super();
    this.#ask = makeButton("", onAsk);
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", "consents");
    this.append(this.#title, this.#list, make("div", { class: "row asking" }, this.#ask, this.#why));
    this.hidden = true;
  }

  /** @param {View} view */
  show(view) {
    this.hidden = view.consents.length === 0;
    arrange(this.#list, view.consents, (consent) => consent.activity, createLight, updateLight);
    this.#showAsking(view);
  }

  /** @returns {boolean} whether the focus could be given to the way to ask */
  focusAsk() {
    this.#ask.focus();
    return document.activeElement === this.#ask;
  }

  /** @param {View} view */
  #showAsking(view) {
    const { how, words: why, languages, performers } = view.asking;
    const refused = listQuestions(view).filter(({ permitted }) => !permitted);
    const missing = view.phase === "choosing" && refused.some(({ code }) => !SAID_NO.includes(code));
    this.#ask.hidden = how === "refuse" || !PHASES.includes(view.phase) || languages.length === 0 || performers.length === 0;
    setText(this.#ask, missing ? words.asking.ask : words.asking.change);
    setAttributes(this.#ask, { class: missing ? "primary" : "quiet-button" });
    setText(this.#why, why);
    this.#why.hidden = how !== "refuse" || refused.length === 0 || why === "";
    /** @type {HTMLElement} */ (this.#ask.parentElement).hidden = this.#ask.hidden && this.#why.hidden;
  }
}

function createLight() {
  return make(
    "li",
    {},
    make("details", { class: "light" }, make("summary", {}), make("div", { class: "light-why" })),
  );
}

/** @param {HTMLElement} row @param {Consent} consent */
function updateLight(row, consent) {
  const said = JSON.stringify(consent);
  if (row.dataset.said === said) return;
  const light = /** @type {HTMLDetailsElement} */ (row.firstElementChild);
  const [summary, why] = light.children;
  setAttributes(light, { class: `light ${consent.permitted ? "light-yes" : "light-no"}` });
  summary.replaceChildren(
    makePicture(consent.permitted ? "yes" : "no"),
    make("span", { class: "light-label" }, consent.label),
    " ",
    make("span", { class: "light-answer" }, consent.permitted ? words.consents.permitted : words.consents.refused),
  );
  why.replaceChildren(...describeGrounds(consent));
  row.dataset.said = said;
}

/** @param {Consent} consent */
function describeGrounds({ words: said, until, grounds }) {
  const parts = said || grounds.length > 0 ? [] : [make("p", {}, words.consents.nothing)];
  if (said) parts.push(make("p", { dir: "auto" }, showVersion(said)));
  if (until) parts.push(make("p", {}, `${words.consents.until} ${showMoment(until)}`));
  const counted = grounds.filter(({ effect }) => effect !== "ignored");
  const ignored = grounds.filter(({ effect }) => effect === "ignored");
  return [...parts, ...listGrounds(words.consents.restsOn, counted), ...listGrounds(words.consents.notCounted, ignored)];
}

/** @param {string} title @param {Consent["grounds"]} grounds */
function listGrounds(title, grounds) {
  if (grounds.length === 0) return [];
  const rows = grounds.map(({ reference, effect, words: said }) => {
    const own = said.startsWith(reference) ? said.slice(reference.length).trim() : "";
    const rest = own || [words.consents.effects[effect] ?? effect, said].filter(Boolean).join(": ");
    return make("li", {}, make("code", {}, showVersion(reference)), " ", make("bdi", {}, showVersion(rest)));
  });
  return [make("p", { class: "quiet" }, title), make("ul", { class: "grounds" }, ...rows)];
}

/** `Consent/1/_history/2` as it is read. @param {string} text */
export function showVersion(text) {
  return text.replace(/\/_history\/([\w.-]*\w)/g, ", version $1");
}

customElements.define("consent-lights", ConsentLights);
