// @ts-check
/** The three questions of consent, each a light with words; a click shows the reason and the Consent resources. */
import { arrange, make, makePicture, setAttributes } from "../element.js";
import { showMoment } from "../time.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Consent} Consent */

export class ConsentLights extends HTMLElement {
  #title = make("h2", { class: "visually-hidden", id: "consents" }, words.consents.title);
  #list = make("ul", { class: "lights" });

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", "consents");
    this.append(this.#title, this.#list);
    this.hidden = true;
  }

  /** @param {View} view */
  show(view) {
    this.hidden = view.consents.length === 0;
    arrange(this.#list, view.consents, (consent) => consent.activity, createLight, updateLight);
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
function showVersion(text) {
  return text.replace(/\/_history\/([\w.-]*\w)/g, ", version $1");
}

customElements.define("consent-lights", ConsentLights);
