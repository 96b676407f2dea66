// @ts-check
/** Phase `gathering`: record, dictate, type or paste, with the numbered lines so far beside it, then ask for the draft. */
import { make, makeButton, setAttributes, setText } from "../element.js";
import { words } from "../words.js";
import { describeDrafter } from "./choose-way.js";
import { DictationDesk } from "./dictation-desk.js";
import { DraftSoFar } from "./draft-so-far.js";
import { EvidenceLines } from "./evidence-lines.js";
import { FormatChoice } from "./format-choice.js";
import { SessionDesk } from "./session-desk.js";
import { TypedNotes } from "./typed-notes.js";
import { WorkProgress } from "./work-progress.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../visit.js").Visit} Visit */

export class GatherMaterial extends HTMLElement {
  heading;
  #visit;
  #way;
  #sound;
  #typed;
  #progress = new WorkProgress();
  #format = new FormatChoice(words.gathering.format);
  #draft = makeButton(words.gathering.draft, () => void this.#askDraft(), { class: "primary" });
  #why = make("p", { class: "quiet", role: "status" });
  #drafter = make("p", { class: "quiet", dir: "auto" });
  #language = make("p", { class: "notice", role: "status", dir: "auto" });
  #soFar = new DraftSoFar();
  #lines;
  /** @type {View | null} */
  #view = null;

  /** @param {Visit} visit @param {string | null} way */
  constructor(visit, way) {
    super();
    this.#visit = visit;
    this.#way = way;
    this.heading = make("h2", { tabindex: -1 }, way === "tidy" ? words.gathering.tidyTitle : words.gathering.title);
    this.#sound = makeDesk(visit, way);
    this.#typed = new TypedNotes(visit, way);
    this.#lines = new EvidenceLines(visit, { title: words.gathering.lines, none: words.gathering.noLines, follows: true });
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const desk = make(
      "div",
      { class: "stack" },
      make("div", { class: "card dictation-card" }, this.#sound, this.#progress),
      make("div", { class: "card" }, this.#typed),
      make("div", { class: "card finish" }, this.#format, make("div", { class: "row" }, this.#draft, this.#why), this.#drafter),
      this.#soFar,
    );
    this.append(this.heading, this.#language, make("div", { class: "columns" }, desk, this.#lines));
    this.addEventListener("typed", () => this.#explain());
    this.addEventListener("editing", () => this.#explain());
    this.addEventListener("recording", (event) => {
      this.#lines.hushed = /** @type {CustomEvent} */ (event).detail.live;
      this.#explain();
    });
    this.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) this.classList.add("dropping");
    });
    this.addEventListener("dragleave", (event) => {
      if (event.target === this) this.classList.remove("dropping");
    });
    this.addEventListener("drop", (event) => {
      this.classList.remove("dropping");
      void this.#sound?.takeFiles(event.dataTransfer?.files);
    });
  }

  /** @returns {boolean} whether leaving the page now would lose something */
  get unsaved() {
    return this.#typed.unsent || this.#sound?.holdsSound === true || this.#lines.unsaved.length > 0;
  }

  /** Stop the microphone and drop its sound, before anything else is stopped. */
  drop() {
    this.#sound?.drop();
  }

  /** Let the microphone take nothing for now. */
  pause() {
    this.#sound?.pause();
  }

  /** @param {string} key @param {EventTarget | null} target @returns {boolean} whether it does something here */
  takeKey(key, target) {
    if (key === "n") this.#lines.goToNextLook();
    return key === "n" || this.#lines.takeKey(key, target) || (this.#sound instanceof SessionDesk && this.#sound.takeKey(key));
  }

  /** @param {View} view */
  show(view) {
    this.#view = view;
    this.#sound?.show(view);
    this.#progress.show(view.working);
    /** @type {HTMLElement} */ (this.#progress.parentElement).hidden = this.#sound === null && view.working === null;
    this.#typed.show(view);
    this.#format.show(view);
    this.#lines.show(view);
    this.#soFar.show(view);
    this.#showLanguage(view.language);
    setText(this.#draft, nameDraft(view));
    const about = [describeDrafter(view.drafter), words.gathering.thin].filter(Boolean).join(" · ");
    setText(this.#drafter, canDraft(view) ? about : words.gathering.withoutWords);
    this.#explain();
  }

  /** Say plainly why there is no AI draft, or that another language is heard. @param {View["language"]} language */
  #showLanguage({ heard, drafting, words: why }) {
    const other = heard === null ? "" : words.language.differs(nameLanguage(heard));
    setText(this.#language, drafting ? other : why || other);
    this.#language.hidden = this.#language.textContent === "";
  }

  /** @returns {string} why there can't be a draft yet; empty when there can */
  get #hindrance() {
    const mode = this.#sound?.mode ?? "idle";
    if (mode === "kept") return words.gathering.needSend;
    if (mode !== "idle" && mode !== "sending") return words.gathering.needStop;
    if (mode === "sending" || this.#view?.working?.what === "transcribing") return words.gathering.needTranscript;
    if (this.#view?.working) return this.#view.working.words || words.gathering.needWait;
    if (this.#lines.unsaved.length > 0) return words.listening.editOpen(this.#lines.unsaved.join(", "));
    if (this.#view !== null && !canDraft(this.#view)) return ""; // she may write from nothing
    if (!this.#view?.segments.some(({ source }) => source !== "silence") && !this.#typed.hasWords) {
      return this.#way === "tidy" ? words.gathering.needNote : words.gathering.needMaterial;
    }
    return "";
  }

  #explain() {
    const hindrance = this.#hindrance;
    setText(this.#why, hindrance);
    setAttributes(this.#draft, { "aria-disabled": hindrance === "" ? null : "true" });
  }

  async #askDraft() {
    if (this.#hindrance !== "" || this.#draft.getAttribute("aria-busy") === "true") return;
    setAttributes(this.#draft, { "aria-busy": "true" });
    const format = this.#format.value;
    if (await this.#typed.flush()) {
      if (this.#view === null || canDraft(this.#view)) await this.#visit.act("api/draft", { format });
      else await this.#visit.act("api/way", { way: "write", format });
    }
    setAttributes(this.#draft, { "aria-busy": null });
  }
}

/** @param {View} view @returns {string} what asking for the draft does */
function nameDraft({ way, drafter, language }) {
  if (!canDraft({ drafter, language })) return words.gathering.without;
  if (way === "tidy") return words.gathering.draftTidy;
  return drafter.kind === "outline" ? words.gathering.draftOutline : words.gathering.draft;
}

/** @param {Pick<View, "drafter" | "language">} view @returns {boolean} an outline only arranges: any language will do */
function canDraft({ drafter, language }) {
  return language.drafting || drafter.kind !== "model";
}

/** @param {string} code BCP 47 @returns {string} in English; the code itself where it is none */
function nameLanguage(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** @param {Visit} visit @param {string | null} way */
function makeDesk(visit, way) {
  if (way === "record") return new SessionDesk(visit);
  return way === "dictate" ? new DictationDesk(visit) : null;
}

customElements.define("gather-material", GatherMaterial);
