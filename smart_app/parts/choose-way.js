// @ts-check
/** Phase `choosing`: which visit, telehealth or not, the format, and the way of working. */
import { arrange, make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { words } from "../words.js";
import { FormatChoice } from "./format-choice.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Way} Way */
/** @typedef {import("../visit.js").Visit} Visit */

export class ChooseWay extends HTMLElement {
  heading = make("h2", { tabindex: -1 }, words.choosing.title);
  #visit;
  #unsigned = make("p", { class: "notice", dir: "auto" });
  #encounterTitle = make("h3", { id: makeId() }, words.choosing.encounter);
  #encounters = make("div", { class: "stack", role: "group", "aria-labelledby": this.#encounterTitle.id });
  #encounterPart = make("section", { class: "card" }, this.#encounterTitle, this.#encounters);
  #telehealthPart;
  #format = new FormatChoice();
  #ways = make("ul", { class: "ways" });
  #models = make("p", { class: "quiet", dir: "auto" });

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#visit = visit;
    const title = make("h3", { id: makeId() }, words.choosing.telehealth);
    this.#telehealthPart = make(
      "section",
      { class: "card" },
      title,
      make("p", { class: "quiet" }, words.choosing.telehealthWhy),
      make(
        "div",
        { class: "row", role: "group", "aria-labelledby": title.id },
        makeButton(words.choosing.remote, () => this.#answer(true)),
        makeButton(words.choosing.inPerson, () => this.#answer(false)),
      ),
    );
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(this.heading, this.#unsigned, this.#encounterPart, this.#telehealthPart, this.#format, this.#ways, this.#models);
  }

  /** @param {View} view */
  show(view) {
    setText(this.#unsigned, words.choosing.noUnsigned(view.ehr.name));
    this.#unsigned.hidden = view.ehr.unsigned_notes;
    this.#showEncounters(view);
    this.#telehealthPart.hidden = view.telehealth !== "unknown";
    this.#format.show(view);
    arrange(this.#ways, view.ways, (way) => way.id, (way) => this.#createWay(way), (row, way) => updateWay(row, way, view));
    const models = [
      describeDrafter(view.drafter),
      view.speech.label && `${words.choosing.speech} ${view.speech.label}`,
    ];
    setText(this.#models, models.filter(Boolean).join(" · "));
  }

  /**
   * The visit is settled when the record named one or one was chosen; then writing, at least, is offered.
   *
   * @param {View} view
   */
  #showEncounters(view) {
    const settled = view.encounter_settled || view.encounter !== null || view.ways.some((way) => way.offered);
    /** @type {{id: string | null, label: string}[]} */
    const choices = [...view.encounter_choices];
    if (view.may_have_no_encounter && choices.length > 0) choices.push({ id: null, label: words.choosing.noEncounter });
    else if (view.may_have_no_encounter && !settled) choices.push({ id: null, label: words.choosing.withoutEncounter });
    this.#encounterPart.hidden = settled && choices.length === 0;
    if (choices.length === 0) {
      this.#encounters.replaceChildren(make("p", {}, words.choosing.encounterMissing));
      return;
    }
    arrange(
      this.#encounters,
      choices,
      (choice) => choice.id ?? "",
      ({ id, label }) => makeButton(label, () => void this.#visit.act("api/encounter", { id }), { class: "choice", dir: "auto" }),
      (button, { id }) => setAttributes(button, { "aria-pressed": String(settled && (view.encounter?.id ?? null) === id) }),
    );
  }

  /** @param {Way} way */
  #createWay(way) {
    const choose = makeButton(way.label, () => {
      void this.#visit.act("api/way", { way: way.id, format: this.#format.value });
    });
    return make(
      "li",
      { class: "way" },
      choose,
      make("p", { class: "way-about" }, words.choosing.about[way.id] ?? ""),
      make("p", { class: "way-needs quiet" }),
      make("p", { class: "way-why", dir: "auto" }),
    );
  }

  /** @param {boolean} remote */
  #answer(remote) {
    void this.#visit.act("api/telehealth", { remote });
  }
}

/** @param {View["drafter"]} drafter @returns {string} */
export function describeDrafter({ kind, label }) {
  const said = kind === "outline" ? words.choosing.outline : label;
  return said && kind !== "none" ? `${words.choosing.drafter} ${said}` : "";
}

/** @param {HTMLElement} row @param {Way} way @param {View} view */
function updateWay(row, way, view) {
  const [choose, , needs, why] = row.children;
  setAttributes(row, { class: way.offered ? "way" : "way way-off" });
  setAttributes(choose, { class: way.offered ? "way-button" : "", disabled: !way.offered });
  const labels = way.needs.map((need) => view.consents.find(({ activity }) => activity === need)?.label ?? need);
  setText(
    needs,
    labels.length > 0 ? `${words.choosing.needs} ${labels.join(words.choosing.needsJoin)}` : words.choosing.needsNone,
  );
  const reason = way.offered ? "" : way.why || words.choosing.notOffered;
  setText(why, reason);
  /** @type {HTMLElement} */ (why).hidden = reason === "";
}

customElements.define("choose-way", ChooseWay);
