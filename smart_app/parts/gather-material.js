// @ts-check
/** Phase `gathering`: record, dictate, type or paste, with the numbered lines so far beside it, then ask for the draft. */
import { make, makeButton, setAttributes, setText } from "../element.js";
import { words } from "../words.js";
import { describeDrafter } from "./choose-way.js";
import { DictationDesk } from "./dictation-desk.js";
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
  #lines = new EvidenceLines({ title: words.gathering.lines, none: words.gathering.noLines, follows: true });
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
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const desk = make(
      "div",
      { class: "stack" },
      make("div", { class: "card dictation-card" }, this.#sound, this.#progress),
      make("div", { class: "card" }, this.#typed),
      make("div", { class: "card finish" }, this.#format, make("div", { class: "row" }, this.#draft, this.#why), this.#drafter),
    );
    this.append(this.heading, make("div", { class: "columns" }, desk, this.#lines));
    this.addEventListener("typed", () => this.#explain());
    this.addEventListener("recording", () => this.#explain());
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
    return this.#typed.unsent || this.#sound?.holdsSound === true;
  }

  /** Stop the microphone and drop its sound, before anything else is stopped. */
  drop() {
    this.#sound?.drop();
  }

  /** Let the microphone take nothing for now. */
  pause() {
    this.#sound?.pause();
  }

  /** @param {string} key @returns {boolean} whether it does something here */
  takeKey(key) {
    return this.#sound instanceof SessionDesk && this.#sound.takeKey(key);
  }

  /** @param {View} view */
  show(view) {
    this.#view = view;
    this.#sound?.show(view);
    this.#progress.show(view.working);
    /** @type {HTMLElement} */ (this.#progress.parentElement).hidden = this.#sound === null && view.working === null;
    this.#typed.show(view);
    this.#format.show(view);
    this.#lines.showSegments(view.segments);
    const draft = view.drafter.kind === "outline" ? words.gathering.draftOutline : words.gathering.draft;
    setText(this.#draft, this.#way === "tidy" ? words.gathering.draftTidy : draft);
    setText(this.#drafter, [describeDrafter(view.drafter), words.gathering.thin].filter(Boolean).join(" · "));
    this.#explain();
  }

  /** @returns {string} why there can't be a draft yet; empty when there can */
  get #hindrance() {
    const mode = this.#sound?.mode ?? "idle";
    if (mode === "kept") return words.gathering.needSend;
    if (mode !== "idle" && mode !== "sending") return words.gathering.needStop;
    if (mode === "sending" || this.#view?.working?.what === "transcribing") return words.gathering.needTranscript;
    if (this.#view?.working) return this.#view.working.words || words.gathering.needWait;
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
    if (await this.#typed.flush()) await this.#visit.act("api/draft", { format: this.#format.value });
    setAttributes(this.#draft, { "aria-busy": null });
  }
}

/** @param {Visit} visit @param {string | null} way */
function makeDesk(visit, way) {
  if (way === "record") return new SessionDesk(visit);
  return way === "dictate" ? new DictationDesk(visit) : null;
}

customElements.define("gather-material", GatherMaterial);
