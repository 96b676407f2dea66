// @ts-check
/** Who this note is about: name, birth date, identifiers and the visit, always in sight. */
import { arrange, make, setText } from "../element.js";
import { ageOn, showDate } from "../time.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */

export class PatientBanner extends HTMLElement {
  #name = make("strong", { class: "patient-name", dir: "auto" });
  #birth = make("span");
  #identifiers = make("span", { class: "identifiers" });
  #visit = make("p", { class: "banner-visit" });

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", words.banner.label);
    this.append(make("p", { class: "banner-patient" }, this.#name, this.#birth, this.#identifiers), this.#visit);
    this.hidden = true;
  }

  /** @param {View} view */
  show(view) {
    const patient = view.patient;
    this.hidden = !view.show_banner || patient === null;
    if (patient === null || this.hidden) {
      for (const part of [this.#name, this.#birth, this.#identifiers, this.#visit]) setText(part, "");
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
    setText(this.#visit, describeVisit(view));
  }
}

/** @param {NonNullable<View["patient"]>} patient */
function describeBirth({ birth_date, gender }) {
  if (!birth_date) return [words.banner.noBirthDate, gender].filter(Boolean).join(", ");
  const age = ageOn(birth_date, new Date());
  const years = age === null ? null : words.banner.age(age);
  return [`${words.banner.born} ${showDate(birth_date)}`, years, gender].filter(Boolean).join(", ");
}

/** @param {View} view */
function describeVisit({ encounter, telehealth }) {
  if (encounter === null) return words.banner.noEncounter;
  const { period, kind, location, participants } = encounter;
  const place = telehealth === "unknown" ? words.banner.telehealth.unknown : words.banner.telehealth[telehealth];
  const others = participants.length > 0 ? `${words.banner.with} ${participants.join(", ")}` : "";
  return [kind, period, place, location, others].filter(Boolean).join(" · ");
}

customElements.define("patient-banner", PatientBanner);
