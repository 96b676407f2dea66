// @ts-check
/** Who this note is about: name, birth date and identifiers, always in sight. */
import { arrange, make, setText } from "../element.js";
import { ageOn, showDate } from "../time.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */

export class PatientBanner extends HTMLElement {
  #name = make("strong", { class: "patient-name", dir: "auto" });
  #birth = make("span");
  #identifiers = make("span", { class: "identifiers" });

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", words.banner.label);
    this.append(make("p", { class: "banner-patient" }, this.#name, this.#birth, this.#identifiers));
    this.hidden = true;
  }

  /** @param {View} view */
  show(view) {
    const patient = view.patient;
    this.hidden = !view.show_banner || patient === null;
    if (patient === null || this.hidden) {
      for (const part of [this.#name, this.#birth, this.#identifiers]) setText(part, "");
      return;
    }
    setText(this.#name, patient.name || words.banner.noName);
    setText(this.#birth, describeBirth(patient));
    arrange(
      this.#identifiers,
      patient.identifiers,
      (identifier) => `${identifier.label} ${identifier.value}`,
      ({ label, value }) => make("span", { class: "identifier" }, `${label} `, make("bdi", {}, value)),
    );
  }
}

/** @param {NonNullable<View["patient"]>} patient */
function describeBirth({ birth_date, gender }) {
  if (!birth_date) return [words.banner.noBirthDate, gender].filter(Boolean).join(", ");
  const age = ageOn(birth_date, new Date());
  const years = age === null ? null : words.banner.age(age);
  return [`${words.banner.born} ${showDate(birth_date)}`, years, gender].filter(Boolean).join(", ");
}

customElements.define("patient-banner", PatientBanner);
