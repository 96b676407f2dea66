// @ts-check
/** One section of the note: its statements, and the clinician's decision: accept, edit or strike. */
import { arrange, make, makeButton, makeId, makeTextArea, setAttributes, setText } from "../element.js";
import { words } from "../words.js";
import { createStatement, updateStatement } from "./statement-row.js";

/** @typedef {import("../view.js").Section} Section */
/** @typedef {import("../visit.js").Visit} Visit */
/** @typedef {import("./statement-row.js").RowActs} RowActs */

export class NoteSection extends HTMLElement {
  #visit;
  #acts;
  /** @type {Section} */
  #section;
  #title = make("h3", { id: makeId(), tabindex: -1 });
  #state = make("span", { class: "section-state" });
  /** @type {string | null} */
  #sent = null;
  #list = make("ol", { class: "statements" });
  #empty = make("p", { class: "empty-words" });
  #edited = make("div", { class: "edited-text", dir: "auto" });
  #field = makeTextArea({ id: makeId(), rows: 4 });
  #fieldLabel = make("label", { for: this.#field.id });
  #fieldHint = make("p", { class: "quiet hint" }, words.review.editRisk);
  #editor;
  #decide = make("div", { class: "row decide", role: "group" });

  /** @param {Section} section @param {Visit} visit @param {Omit<RowActs, "decideRisk">} acts */
  constructor(section, visit, acts) {
    super();
    this.#section = section;
    this.#visit = visit;
    this.#acts = {
      ...acts,
      decideRisk: /** @param {number} number @param {string} decision */ (number, decision) =>
        void visit.act("api/risk", { number, decision }),
    };
    this.#editor = make(
      "div",
      { class: "field editor", hidden: true },
      this.#fieldLabel,
      this.#fieldHint,
      this.#field,
      make(
        "div",
        { class: "row" },
        makeButton(words.review.save, () => void this.#save(), { class: "primary" }),
        makeButton(words.review.discard, () => this.#closeEditor()),
      ),
    );
    this.#decide.append(
      makeButton(words.review.accept, () => this.accept(), { "data-decision": "accepted" }),
      makeButton(words.review.edit, () => this.edit(), { "data-decision": "edited" }),
      makeButton(words.review.strike, () => this.strike(), { "data-decision": "struck" }),
    );
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", this.#title.id);
    this.append(
      make("div", { class: "section-head" }, this.#title, this.#state),
      this.#edited,
      this.#list,
      this.#empty,
      this.#editor,
      this.#decide,
    );
    this.#editor.addEventListener("keydown", (event) => {
      event.stopPropagation(); // keys typed here are text
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void this.#save();
    });
  }

  /** @returns {string} the section's title if an edit of it is not saved yet */
  get unsaved() {
    return this.#editor.hidden ? "" : this.#section.title;
  }

  /** @returns {HTMLElement | null} what still needs a decision here: the section's own first */
  get openPlace() {
    if (this.#section.decision === "open") return this.#title;
    return this.#list.querySelector("[data-open]");
  }

  /** @param {Section} section @param {boolean} deciding @param {ReadonlyMap<number, boolean>} toHear lines that need a person */
  show(section, deciding, toHear) {
    this.#section = section;
    const edited = section.decision === "edited";
    setText(this.#title, section.title);
    setText(this.#state, deciding ? describeDecision(section) : "");
    setAttributes(this, { "data-decision": deciding ? section.decision : "drafting" });
    const statements = edited ? section.statements.filter((statement) => statement.risk) : section.statements;
    arrange(
      this.#list,
      statements,
      (statement) => `${statement.number} ${statement.segments.join(",")} ${statement.origin}`,
      (statement) => createStatement(statement, this.#acts),
      (row, statement) => updateStatement(row, statement, deciding, toHear),
    );
    setAttributes(this.#list, { "aria-label": words.review.statements(section.title) });
    this.#list.hidden = statements.length === 0;
    setText(this.#edited, edited ? section.text : "");
    this.#edited.hidden = !edited || !this.#editor.hidden;
    setText(this.#empty, section.empty_words);
    this.#empty.hidden = edited || section.statements.length > 0 || !deciding;
    setText(this.#fieldLabel, words.review.editLabel(section.title));
    this.#fieldHint.hidden = !section.statements.some((statement) => statement.risk);
    this.#decide.hidden = !deciding || !this.#editor.hidden;
    setAttributes(this.#decide, { "aria-label": words.review.decide(section.title) });
    for (const button of this.#decide.children) {
      const chosen = /** @type {HTMLElement} */ (button).dataset.decision === section.decision;
      setAttributes(button, { "aria-pressed": String(chosen) });
    }
    if (edited && section.text.trim() === this.#sent) this.#closeEditor();
  }

  /**
   * A risk line's own decision, by key.
   *
   * @param {HTMLElement | null} row
   * @param {"kept" | "struck"} decision
   * @returns {boolean} whether the row is a risk line of this section that may be decided
   */
  decideRisk(row, decision) {
    const button = row?.querySelector(`.risk-decision [data-decision="${decision}"]`);
    if (!(button instanceof HTMLElement) || !button.checkVisibility()) return false;
    button.click();
    return true;
  }

  accept() {
    this.#post({ decision: "accepted" });
  }

  strike() {
    this.#post({ decision: "struck" });
  }

  edit() {
    if (this.#editor.hidden) {
      const written = this.#section.statements.filter((statement) => !statement.risk).map((statement) => statement.text);
      this.#field.value = this.#section.text || written.join("\n");
      this.#editor.hidden = false;
      this.#decide.hidden = true;
      this.#edited.hidden = true;
      this.dispatchEvent(new CustomEvent("editing", { bubbles: true }));
    }
    this.#field.focus();
  }

  async #save() {
    const text = this.#field.value;
    this.#sent = text.trim(); // the view may show it before this request is answered
    const saved = await this.#visit.act("api/section", { id: this.#section.id, decision: "edited", text });
    if (saved && this.#sent !== null) this.#closeEditor();
    this.#sent = null;
  }

  #closeEditor() {
    if (this.#editor.hidden) return;
    const held = this.#editor.contains(document.activeElement);
    this.#editor.hidden = true;
    this.#sent = null;
    this.#field.value = "";
    this.#decide.hidden = false;
    this.#edited.hidden = this.#section.decision !== "edited";
    if (held) /** @type {HTMLElement | null} */ (this.#decide.querySelector('[data-decision="edited"]'))?.focus();
    this.dispatchEvent(new CustomEvent("editing", { bubbles: true }));
  }

  /** @param {{decision: string}} decision */
  #post(decision) {
    void this.#visit.act("api/section", { id: this.#section.id, ...decision });
  }
}

/** @param {Section} section @returns {string} a risk line that is kept stays, even when its section is struck */
function describeDecision({ decision, statements }) {
  const keeps = statements.some((statement) => statement.risk && statement.risk_decision === "kept");
  if (decision === "struck" && keeps) return words.review.struckButRisk;
  return words.review.decisions[decision] ?? decision;
}

customElements.define("note-section", NoteSection);
