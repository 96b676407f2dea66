// @ts-check
/**
 * The page: the bar that always stays (recording light, patient, stop), the consents, what is in the way, and the
 * panel of the phase. It is the only part that knows all others.
 */
import { make, makeButton, setText } from "../element.js";
import { showClock } from "../time.js";
import { Visit } from "../visit.js";
import { words } from "../words.js";
import { ChooseWay } from "./choose-way.js";
import { ConfirmButton } from "./confirm-button.js";
import { ConsentLights } from "./consent-lights.js";
import { GatherMaterial } from "./gather-material.js";
import { HandOver } from "./hand-over.js";
import { KeyList } from "./key-list.js";
import { PatientBanner } from "./patient-banner.js";
import { ReadList } from "./read-list.js";
import { ReviewDraft } from "./review-draft.js";
import { StepList } from "./step-list.js";
import { TroubleNote } from "./trouble-note.js";
import { VisitEnd } from "./visit-end.js";
import { VisitLine } from "./visit-line.js";
import { WaitPanel } from "./wait-panel.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Phase} Phase */
/** @typedef {ChooseWay | GatherMaterial | ReviewDraft | HandOver | VisitEnd | WaitPanel} Panel */

export class VisitPage extends HTMLElement {
  #visit = new Visit();
  #banner = new PatientBanner();
  #line = new VisitLine();
  #consents = new ConsentLights();
  #trouble = new TroubleNote();
  #steps = new StepList();
  #keys = new KeyList();
  #read = new ReadList();
  #light = make("span", { class: "strip-words" });
  #strip = make("div", { class: "strip", hidden: true }, make("span", { class: "strip-dot", "aria-hidden": "true" }), this.#light);
  #announcer = make("p", { class: "visually-hidden", role: "status" });
  #place = make("div", { id: "note", class: "place", tabindex: -1 });
  #bar;
  #cancel;
  #keysButton = makeButton(words.keys.button, () => this.#keys.toggle(), { class: "quiet-button keys-button", "aria-keyshortcuts": "?" });
  /** @type {Panel | null} */
  #panel = null;
  #panelName = "";

  constructor() {
    super();
    this.#cancel = new ConfirmButton({
      label: words.cancel.label,
      question: words.cancel.question,
      yes: words.cancel.yes,
      no: words.cancel.no,
      kind: "danger-quiet",
      onYes: () => void this.#destroy(),
    });
    const tools = make("div", { class: "bar-tools" }, this.#keysButton, this.#cancel);
    const product = make("p", { class: "product" }, words.product);
    this.#bar = make("header", { class: "bar" }, make("h1", { class: "visually-hidden" }, words.title), this.#strip, make("div", { class: "bar-row" }, product, this.#banner, tools));
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    document.title = words.title;
    const skip = make("a", { class: "skip", href: "#note" }, words.skip);
    this.append(
      skip,
      this.#bar,
      make("main", { class: "page" }, this.#keys, this.#line, this.#consents, this.#steps, this.#trouble, this.#place),
      make("footer", {}, this.#read),
      this.#announcer,
    );
    this.#showPanel("opening");
    this.#visit.addEventListener("view", () => this.#show());
    this.#visit.addEventListener("trouble", () => this.#trouble.show(this.#visit));
    this.addEventListener("recording", (event) => this.#showRecording(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("keydown", (event) => this.#takeKey(event));
    for (const kind of /** @type {const} */ (["dragover", "drop"])) {
      document.addEventListener(kind, (event) => event.preventDefault()); // a file dropped beside is not opened
    }
    addEventListener("beforeunload", (event) => {
      if (this.#unsaved) event.preventDefault();
    });
    addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload(); // nothing is shown from the browser's memory of the page
    });
    new ResizeObserver(() => {
      document.documentElement.style.setProperty("--bar-height", `${this.#bar.offsetHeight}px`);
    }).observe(this.#bar);
    this.#visit.start();
  }

  get #unsaved() {
    const panel = this.#panel;
    return (panel instanceof GatherMaterial || panel instanceof ReviewDraft) && panel.unsaved;
  }

  #show() {
    const view = this.#visit.view;
    if (view === null) return;
    this.#banner.show(view);
    this.#line.show(view);
    this.#consents.show(view);
    this.#steps.show(view);
    this.#read.show(view);
    this.#trouble.show(this.#visit);
    this.#cancel.hidden = this.#keysButton.hidden = view.phase === "ended";
    this.#showPanel(view.phase, view.way);
    this.#panel?.show(view);
  }

  /** @param {Phase} phase @param {string | null} [way] */
  #showPanel(phase, way = null) {
    const writing = phase === "gathering" && way === "write"; // on its way to the empty sections
    const name = phase === "drafting" ? "reviewing" : writing ? "writing" : phase;
    if (name === this.#panelName) return;
    const first = this.#panelName === "" || this.#panelName === "opening";
    this.#panelName = name;
    this.#panel = writing ? new WaitPanel(words.writing) : this.#makePanel(phase);
    this.#place.replaceChildren(this.#panel);
    if (phase !== "gathering") this.#showRecording({ mode: "idle", seconds: 0 });
    if (first) return;
    // The heading gets its words with the view; the focus tells a screen reader where the page now is.
    queueMicrotask(() => {
      this.#panel?.heading.focus({ preventScroll: true });
      scrollTo({ top: 0, behavior: "instant" });
    });
  }

  /** @param {Phase} phase @returns {Panel} */
  #makePanel(phase) {
    switch (phase) {
      case "choosing":
        return new ChooseWay(this.#visit);
      case "gathering":
        return new GatherMaterial(this.#visit);
      case "drafting":
      case "reviewing":
        return new ReviewDraft(this.#visit, (text) => setText(this.#announcer, text));
      case "filing":
        return new WaitPanel(words.filing);
      case "handing-over":
        return new HandOver(this.#visit);
      case "ended":
        return new VisitEnd();
      default:
        return new WaitPanel(words.opening);
    }
  }

  async #destroy() {
    if (this.#panel instanceof GatherMaterial) this.#panel.discard();
    if (!(await this.#visit.act("api/cancel", {}, { now: true })) && this.#visit.view?.phase !== "ended") {
      this.#visit.say(words.cancel.failed);
    }
  }

  /** @param {{mode: string, seconds: number}} recording */
  #showRecording({ mode, seconds }) {
    const running = mode === "recording" || mode === "paused" || mode === "lost";
    this.#strip.hidden = !running;
    this.#strip.dataset.mode = mode;
    const say = mode === "recording" ? words.recorder.strip : words.recorder.stripPaused;
    setText(this.#light, running ? say(showClock(seconds)) : "");
    document.title = mode === "recording" ? words.recordingTitle : words.title;
  }

  /** @param {KeyboardEvent} event */
  #takeKey(event) {
    const { target, key } = event;
    const typing = target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type !== "checkbox" && target.type !== "radio");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !this.#keys.singleKeys) return;
    if (key === "?") this.#keys.toggle();
    else if (!(this.#panel instanceof ReviewDraft) || !this.#panel.takeKey(key.toLowerCase(), target)) return;
    event.preventDefault();
  }
}

customElements.define("visit-page", VisitPage);
