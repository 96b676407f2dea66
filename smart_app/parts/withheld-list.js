// @ts-check
/** What the model wrote and nothing carries, folded, each with its reason; the clinician may say it in her own words. */
import { arrange, make, makeButton, makeId, makeTextArea, setText } from "../element.js";
import { words } from "../words.js";
import { makeLineButtons } from "./evidence-lines.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Withheld} Withheld */
/** @typedef {import("../visit.js").Visit} Visit */
/** @typedef {import("./statement-row.js").RowActs} RowActs */

export class WithheldList extends HTMLElement {
  #visit;
  #jump;
  #summary = make("summary");
  #list = make("ol", { class: "statements" });

  /** @param {Visit} visit @param {Pick<RowActs, "jump">} acts */
  constructor(visit, { jump }) {
    super();
    this.#visit = visit;
    this.#jump = jump;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(make("details", { class: "fold" }, this.#summary, make("p", { class: "quiet" }, words.withheld.intro), this.#list));
  }

  /** @returns {string} this list's name if words are being taken over and not saved yet */
  get unsaved() {
    return this.querySelector(".editor:not([hidden])") === null ? "" : words.withheld.unsaved;
  }

  /** @param {View} view @param {boolean} deciding */
  show(view, deciding) {
    this.hidden = view.withheld.length === 0;
    setText(this.#summary, words.withheld.title(view.withheld.length));
    const titleOf = new Map(view.sections.map(({ id, title }) => [id, title]));
    arrange(
      this.#list,
      view.withheld,
      (item) => item.number,
      (item) => this.#create(item, titleOf.get(item.section) ?? item.section),
      (row) => {
        /** @type {HTMLElement} */ (row.querySelector(".take")).hidden = !deciding;
      },
    );
  }

  /** @param {Withheld} item @param {string} section */
  #create({ number, text, reason, segments }, section) {
    const row = make("li", { class: "statement withheld", tabindex: -1, "data-statement": number, "data-lines": segments.join(" ") });
    const about = make("div", { class: "statement-about" }, make("span", { class: "origin" }, section));
    if (segments.length > 0) about.append(makeLineButtons(segments, words.withheld.nearest, (line) => this.#jump(line, row)));
    row.append(
      make("p", { class: "statement-text", dir: "auto" }, text),
      make("p", { class: "withheld-why" }, make("strong", {}, words.withheld.reason), " ", make("bdi", {}, reason)),
      about,
      make("ol", { class: "beneath", hidden: true, "aria-label": words.lines.title }),
      this.#makeTake(number),
    );
    return row;
  }

  /** @param {number} number */
  #makeTake(number) {
    const field = makeTextArea({ id: makeId(), rows: 2 });
    const save = async () => {
      if (await this.#visit.act("api/take", { number, text: field.value })) close();
    };
    const close = () => {
      editor.hidden = true;
      open.hidden = false;
      if (open.isConnected) open.focus();
      this.dispatchEvent(new CustomEvent("editing", { bubbles: true }));
    };
    const open = makeButton(
      words.withheld.take,
      () => {
        field.value = ""; // her own words: what nothing carries is not put into her mouth
        editor.hidden = false;
        open.hidden = true;
        field.focus();
        this.dispatchEvent(new CustomEvent("editing", { bubbles: true }));
      },
      { class: "quiet-button" },
    );
    const editor = make(
      "div",
      { class: "field editor", hidden: true },
      make("label", { for: field.id }, words.withheld.takeLabel),
      field,
      make("div", { class: "row" }, makeButton(words.withheld.save, () => void save(), { class: "primary" }), makeButton(words.withheld.discard, close)),
    );
    editor.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void save();
    });
    return make("div", { class: "take" }, open, editor);
  }
}

customElements.define("withheld-list", WithheldList);
