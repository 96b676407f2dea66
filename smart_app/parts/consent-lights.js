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
function describeGrounds(consent) {
  const parts = [make("p", { dir: "auto" }, consent.words)];
  if (consent.until) parts.push(make("p", {}, `${words.consents.until} ${showMoment(consent.until)}`));
  if (consent.grounds.length === 0) return consent.words ? parts : [make("p", {}, words.consents.nothing)];
  const grounds = consent.grounds.map(({ reference, effect, words: said }) =>
    make(
      "li",
      {},
      make("code", {}, reference),
      ` ${words.consents.effects[effect] ?? effect}`,
      said ? ": " : null,
      said ? make("bdi", {}, said) : null,
    ),
  );
  return [...parts, make("p", { class: "quiet" }, words.consents.restsOn), make("ul", { class: "grounds" }, ...grounds)];
}

customElements.define("consent-lights", ConsentLights);
