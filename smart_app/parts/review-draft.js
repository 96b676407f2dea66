// @ts-check
/**
 * Phases `drafting` and `reviewing`: the draft beside the numbered lines. One statement is at hand; arrows, focus and
 * the pointer move it, and the lines that carry it are lit. While drafting, nothing can be decided yet.
 */
import { arrange, make, makeButton, setText } from "../element.js";
import { words } from "../words.js";
import { AttestForm, describeOpen } from "./attest-form.js";
import { ConfirmButton } from "./confirm-button.js";
import { EvidenceLines } from "./evidence-lines.js";
import { MarkList } from "./mark-list.js";
import { NoteSection } from "./note-section.js";
import { OtherFormat } from "./other-format.js";
import { linesOf, showBeneath } from "./statement-row.js";
import { WithheldList } from "./withheld-list.js";
import { WorkProgress } from "./work-progress.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../visit.js").Visit} Visit */

const ANNOUNCE_EVERY_MS = 6000;

export class ReviewDraft extends HTMLElement {
  heading = make("h2", { tabindex: -1 });
  #visit;
  #announce;
  #announcedAt = 0;
  /** @type {View | null} */
  #view = null;
  /** @type {HTMLElement | null} the statement at hand */
  #current = null;
  /** @type {HTMLElement | null} where the focus was before it went to a line, if not on a statement */
  #left = null;
  #reviewed = false; // whether there were decisions that going back would drop
  #pressing = false;
  #release = () => (this.#pressing = false);
  #progress = new WorkProgress();
  #hint = make("p", { class: "quiet" }, words.drafting.hint);
  #open = make("p", { class: "open-count" });
  #openWhat = make("p", { class: "quiet" });
  #next = makeButton(words.review.next, () => this.goToNextOpen());
  #stop;
  #back;
  #sections = make("div", { class: "sections" });
  #withheld;
  #attest;
  #marks = new MarkList((line, from) => this.#goToLine(line, from));
  #format;
  #lines;

  /** @param {Visit} visit @param {(text: string) => void} announce */
  constructor(visit, announce) {
    super();
    this.#visit = visit;
    this.#announce = announce;
    this.#stop = makeButton(words.drafting.stop, () => void visit.act("api/material", {}));
    this.#back = new ConfirmButton({
      label: words.review.back,
      question: words.review.backQuestion,
      yes: words.review.backYes,
      no: words.review.backNo,
      onYes: () => void visit.act("api/material", {}),
    });
    this.#withheld = new WithheldList(visit, { jump: (line, from) => this.#jump(line, from) });
    this.#attest = new AttestForm(visit, () => this.#unsavedEdits);
    this.#lines = new EvidenceLines(visit, { title: words.lines.title, none: words.lines.none });
    this.#format = new OtherFormat(visit, {
      hindrance: () => (this.#unsavedEdits.length > 0 ? words.review.editOpen(this.#unsavedEdits.join(", ")) : ""),
      onUsed: (title) => this.#begin(title),
    });
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const bar = make("div", { class: "review-bar" }, this.#open, this.#openWhat, this.#next, this.#stop, this.#back);
    const draft = make("div", { class: "draft" }, this.#marks, this.#sections, this.#withheld, this.#attest);
    this.append(this.heading, this.#progress, this.#hint, bar, this.#format, make("div", { class: "columns" }, draft, this.#lines));
    // A press moves the focus before it clicks; opening the lines then would move the pressed button away.
    draft.addEventListener("pointerdown", () => (this.#pressing = true));
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, this.#release);
    draft.addEventListener("focusin", (event) => {
      if (!this.#pressing) this.#hold(rowAt(event.target), true);
    });
    draft.addEventListener("pointerover", (event) => this.#preview(event));
    draft.addEventListener("pointerleave", () => this.#light(this.#current, false));
    draft.addEventListener("click", (event) => this.#hold(rowAt(event.target), true));
    this.addEventListener("keydown", (event) => this.#move(event));
    this.addEventListener("leave-lines", () => (this.#left?.checkVisibility() ? this.#left : this.#current)?.focus());
    this.addEventListener("editing", () => {
      this.#attest.explain();
      this.#format.explain();
    });
  }

  disconnectedCallback() {
    for (const kind of ["pointerup", "pointercancel"]) removeEventListener(kind, this.#release);
  }

  /** @returns {boolean} whether leaving the page now would lose something */
  get unsaved() {
    return this.#unsavedEdits.length > 0;
  }

  get #unsavedEdits() {
    const parts = /** @type {Iterable<NoteSection | WithheldList>} */ (this.querySelectorAll("note-section, withheld-list"));
    return [...[...parts].map((part) => part.unsaved).filter(Boolean), ...this.#lines.unsaved];
  }

  /** @param {View} view */
  show(view) {
    const deciding = view.phase === "reviewing" && view.working === null;
    const before = this.#view;
    this.#view = view;
    this.#reviewed ||= deciding;
    setText(this.heading, deciding || view.phase === "reviewing" ? (view.way === "write" ? words.review.titleWrite : words.review.title) : words.drafting.title);
    this.#progress.show(view.working);
    this.#hint.hidden = view.phase !== "drafting";
    const again = view.phase === "drafting" && this.#reviewed; // for another format: going back drops decisions
    this.#stop.hidden = view.phase !== "drafting" || again;
    this.#back.hidden = (!deciding && !again) || view.way === "write"; // there is no material behind what she writes herself
    this.#open.hidden = this.#openWhat.hidden = this.#next.hidden = !deciding;
    this.#next.disabled = view.open_decisions === 0;
    setText(this.#open, view.open_decisions === 0 ? words.review.allDecided : words.review.open(view.open_decisions));
    setText(this.#openWhat, describeOpen(view));
    this.dataset.drafter = view.drafter.kind;
    this.#lines.show(view);
    this.#marks.show(view, deciding);
    this.#format.show(view, deciding);
    arrange(
      this.#sections,
      view.sections,
      (section) => section.id,
      (section) => new NoteSection(section, this.#visit, { jump: (line, from) => this.#jump(line, from) }),
      () => {},
    );
    const toHear = new Map(view.segments.filter(({ look }) => look).map(({ number, sound }) => [number, sound]));
    for (const [index, section] of view.sections.entries()) {
      /** @type {NoteSection} */ (this.#sections.children[index]).show(section, deciding, toHear);
    }
    this.#withheld.show(view, deciding);
    this.#attest.hidden = !deciding;
    this.#attest.show(view);
    if (deciding && before?.phase === "drafting" && rowAt(document.activeElement) === null) this.#current = null; // start at the top
    this.#keepCurrent();
    this.#tell(before, view, deciding);
  }

  /**
   * Give the focus to what is still undecided, after the place where the focus is: the lines before the sections that
   * may rest on them.
   */
  goToNextOpen() {
    this.#left = null;
    const draft = /** @type {NoteSection[]} */ ([...this.#sections.children]).map((section) => section.openPlace);
    const lines = (this.#view?.marks ?? []).map((line) => this.#lines.findLine(line));
    const [inDraft, inLines] = [draft, lines].map((places) => places.filter((place) => place !== null));
    const here = /** @type {Element} */ (document.activeElement);
    const among = this.#lines.contains(here) ? [inLines, inDraft] : this.#sections.contains(here) ? [inDraft, inLines] : [[], inLines];
    const after = among[0]?.find((place) => isAfter(here, place));
    (after ?? among[1]?.[0] ?? inLines?.[0] ?? inDraft?.[0])?.focus();
  }

  /** The draft is in another format: begin again at its head. @param {string} title */
  #begin(title) {
    this.#announce(words.review.formatUsed(title));
    this.heading.focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: "instant" });
  }

  /** @param {View | null} before @param {View} view @param {boolean} deciding */
  #tell(before, view, deciding) {
    const count = view.sections.reduce((sum, section) => sum + section.statements.length, 0);
    if (deciding) {
      if (before?.phase === "drafting") this.#announce(words.review.ready(count, view.withheld.length));
      else if (before !== null && before.open_decisions !== view.open_decisions) this.#announce(this.#open.textContent ?? "");
      return;
    }
    if (view.phase === "drafting" && count > 0 && Date.now() - this.#announcedAt > ANNOUNCE_EVERY_MS) {
      this.#announcedAt = Date.now();
      this.#announce(words.drafting.soFar(count));
    }
  }

  /** Keep one statement in the tab order: the one at hand, or the first. */
  #keepCurrent() {
    const rows = this.#rows;
    if (this.#current === null || !this.#current.isConnected) {
      const number = this.#current?.dataset.statement;
      this.#current = rows.find((row) => row.dataset.statement === number) ?? rows[0] ?? null;
    }
    this.#hold(this.#current, false);
  }

  get #rows() {
    return /** @type {HTMLElement[]} */ ([...this.querySelectorAll("[data-statement]")]);
  }

  /** @param {HTMLElement | null} current @param {boolean} reveal */
  #hold(current, reveal) {
    if (current === null) return;
    this.#current = current;
    for (const row of this.#rows) {
      const held = row === current;
      row.tabIndex = held ? 0 : -1;
      row.classList.toggle("at-hand", held);
      for (const button of row.querySelectorAll(".line-button")) /** @type {HTMLElement} */ (button).tabIndex = held ? 0 : -1;
      showBeneath(row, this.#view?.segments ?? [], held);
    }
    this.#light(current, reveal);
  }

  /** @param {PointerEvent} event */
  #preview(event) {
    const row = rowAt(event.target);
    if (event.pointerType === "mouse" && row !== null) this.#light(row, true);
  }

  /** @param {HTMLElement | null} row @param {boolean} reveal */
  #light(row, reveal) {
    if (row === null) return this.#lines.highlight([], "");
    const mark = row.classList.contains("withheld") ? words.lines.near : words.lines.carries;
    this.#lines.highlight(linesOf(row), mark, reveal);
  }

  /** From a statement to a line. @param {number} line @param {HTMLElement} from */
  #jump(line, from) {
    this.#hold(from, false);
    this.#left = null;
    this.#lines.findLine(line)?.focus();
  }

  /** @param {number} line @param {HTMLElement} from where Esc goes back to */
  #goToLine(line, from) {
    this.#left = from;
    this.#lines.findLine(line)?.focus();
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rowAt(event.target);
    const onRow = row !== null && event.target === row;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && (onRow || event.target instanceof HTMLHeadingElement)) {
      const rows = this.#rows.filter((other) => other.checkVisibility());
      const place = onRow ? rows.indexOf(row) + step : rows.findIndex((other) => isAfter(/** @type {Node} */ (event.target), other)) + (step > 0 ? 0 : -1);
      rows[place]?.focus();
      event.preventDefault();
    } else if (onRow && (event.key === "Enter" || event.key === "ArrowRight")) {
      const [first] = linesOf(row);
      if (first !== undefined) this.#jump(first, row);
      event.preventDefault();
    }
  }

  /**
   * A single key, pressed inside a section.
   *
   * @param {string} key
   * @param {EventTarget | null} target
   * @returns {boolean} whether it meant something here
   */
  takeKey(key, target) {
    if (this.#view?.phase !== "reviewing") return false;
    const section = target instanceof Element ? target.closest("note-section") : null;
    if (key === "n") this.goToNextOpen();
    else if (this.#lines.takeKey(key, target)) return true;
    else if (!(section instanceof NoteSection)) return false;
    else if (key === "a") section.accept();
    else if (key === "e") section.edit();
    else if (key === "k") return section.decideRisk(rowAt(target), "kept");
    else if (key === "s") section.decideRisk(rowAt(target), "struck") || section.strike();
    else return false;
    return true;
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function rowAt(target) {
  return target instanceof Element ? target.closest("[data-statement]") : null;
}

/** @param {Node} place @param {Node} other */
function isAfter(place, other) {
  return (place.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
}

customElements.define("review-draft", ReviewDraft);
