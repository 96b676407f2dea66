// @ts-check
/** Which visit this note is for: kind, time, place, telehealth or not, who takes part. */
import { make, setText } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */

export class VisitLine extends HTMLElement {
  #line = make("p", { class: "quiet" });

  connectedCallback() {
    if (this.firstChild === null) this.append(this.#line);
  }

  /** @param {View} view */
  show(view) {
    this.hidden = view.phase === "ended" || view.phase === "opening";
    setText(this.#line, this.hidden ? "" : describeVisit(view));
  }
}

/** @param {View} view */
function describeVisit({ encounter, telehealth }) {
  if (encounter === null) return words.banner.noEncounter;
  const { period, kind, location, participants } = encounter;
  const place = telehealth === "unknown" ? words.banner.telehealth.unknown : words.banner.telehealth[telehealth];
  const others = participants.length > 0 ? `${words.banner.with} ${participants.map(isolate).join(", ")}` : "";
  return [kind, period, place, location, others].filter(Boolean).join(" · ");
}

/** @param {string} name @returns {string} the name, its writing direction kept to itself (Unicode 9, FSI and PDI) */
function isolate(name) {
  return `\u2068${name}\u2069`;
}

customElements.define("visit-line", VisitLine);
