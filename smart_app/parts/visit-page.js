// @ts-check
/**
 * The page: the bar that always stays (recording light, patient, stop), the consents, what is in the way, and the
 * panel of the phase. It is the only part that knows all others.
 */
import { make, makeButton, setText } from "../element.js";
import { Visit } from "../visit.js";
import { words } from "../words.js";
import { AskConsent } from "./ask-consent.js";
import { ChooseWay } from "./choose-way.js";
import { ConfirmButton } from "./confirm-button.js";
import { ConsentLights } from "./consent-lights.js";
import { GatherMaterial } from "./gather-material.js";
import { HandOver } from "./hand-over.js";
import { KeyList } from "./key-list.js";
import { PatientBanner } from "./patient-banner.js";
import { ReadList } from "./read-list.js";
import { ReviewDraft } from "./review-draft.js";
import { RoomList } from "./room-list.js";
import { StepList } from "./step-list.js";
import { TakenBack } from "./taken-back.js";
import { TroubleNote } from "./trouble-note.js";
import { VisitEnd } from "./visit-end.js";
import { VisitLine } from "./visit-line.js";
import { WaitPanel } from "./wait-panel.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Phase} Phase */
/** @typedef {ChooseWay | GatherMaterial | ReviewDraft | HandOver | VisitEnd | WaitPanel} Panel */

const ASKING_PHASES = ["choosing", "gathering", "drafting", "reviewing"];

export class VisitPage extends HTMLElement {
  #visit = new Visit();
  #banner = new PatientBanner();
  #line = new VisitLine();
  #consents = new ConsentLights(() => this.#openAsking());
  #room = new RoomList(this.#visit);
  #takenBack = new TakenBack();
  #trouble = new TroubleNote();
  #steps = new StepList();
  #keys = new KeyList();
  #read = new ReadList();
  #light = make("span", { class: "strip-words" });
  #strip = make("div", { class: "strip", hidden: true }, make("span", { class: "strip-dot", "aria-hidden": "true" }), this.#light);
  #announcer = make("p", { class: "visually-hidden", role: "status" });
  #place = make("div", { id: "note", class: "place", tabindex: -1 });
  #main = make("main", { class: "page" });
  #bar;
  #cancel;
  #keysButton = makeButton(words.keys.button, () => this.#keys.toggle(), { class: "quiet-button keys-button", "aria-keyshortcuts": "?" });
  /** @type {Panel | null} */
  #panel = null;
  #panelName = "";
  /** @type {AskConsent | null} what is read with the patient, in front of the panel */
  #asking = null;
  #live = false; // whether the microphone takes sound
  #askedOver = ""; // the panel's name when it was opened

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
    this.#main.append(this.#keys, this.#line, this.#takenBack, this.#consents, this.#room, this.#steps, this.#trouble, this.#place);
    this.append(
      skip,
      this.#bar,
      this.#main,
      make("footer", {}, this.#read),
      this.#announcer,
    );
    this.#showPanel("opening");
    this.#visit.addEventListener("view", () => this.#show());
    this.#visit.addEventListener("trouble", () => this.#trouble.show(this.#visit));
    this.addEventListener("dismissed", () => (this.#asking ?? this.#panel)?.heading.focus());
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
    this.#takenBack.show(view);
    this.#consents.show(view);
    this.#room.show(view);
    this.#steps.show(view);
    this.#read.show(view);
    this.#trouble.show(this.#visit);
    this.#cancel.hidden = this.#keysButton.hidden = view.phase === "ended";
    this.#showPanel(view.phase, view.way);
    this.#panel?.show(view);
    if (ASKING_PHASES.includes(view.phase)) this.#asking?.show(view);
    else this.#closeAsking(false);
  }

  /** @param {Phase} phase @param {string | null} [way] */
  #showPanel(phase, way = null) {
    const writing = phase === "gathering" && way === "write"; // on its way to the empty sections
    const gathering = phase === "gathering" ? `gathering ${way}` : phase;
    const name = phase === "drafting" ? "reviewing" : writing ? "writing" : gathering;
    if (name === this.#panelName) return;
    const first = this.#panelName === "" || this.#panelName === "opening";
    this.#panelName = name;
    this.#panel = writing ? new WaitPanel(words.writing) : this.#makePanel(phase, way);
    this.#place.replaceChildren(this.#panel);
    this.#showRecording({ mode: "idle", live: false, text: "" });
    if (first || this.#asking !== null) return;
    // The heading gets its words with the view; the focus tells a screen reader where the page now is.
    queueMicrotask(() => {
      this.#panel?.heading.focus({ preventScroll: true });
      scrollTo({ top: 0, behavior: "instant" });
    });
  }

  /** @param {Phase} phase @param {string | null} way @returns {Panel} */
  #makePanel(phase, way) {
    switch (phase) {
      case "choosing":
        return new ChooseWay(this.#visit);
      case "gathering":
        return new GatherMaterial(this.#visit, way);
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
    if (this.#panel instanceof GatherMaterial) this.#panel.drop();
    if (!(await this.#visit.act("api/cancel", {}, { now: true })) && this.#visit.view?.phase !== "ended") {
      this.#visit.say(words.cancel.failed);
    }
  }

  /** The phase's panel stays alive behind what is read with the patient: nothing typed is lost. */
  #openAsking() {
    const view = this.#visit.view;
    if (view === null || this.#asking !== null) return;
    const paused = this.#live;
    if (this.#panel instanceof GatherMaterial) this.#panel.pause();
    this.#askedOver = this.#panelName;
    this.#asking = new AskConsent(this.#visit, view, { paused, onClose: (saved) => this.#closeAsking(saved) });
    this.#main.classList.add("asking-now");
    this.#place.before(this.#asking);
    this.#asking.heading.focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: "instant" });
  }

  /** @param {boolean} saved */
  #closeAsking(saved) {
    if (this.#asking === null) return;
    this.#asking.remove();
    this.#asking = null;
    this.#main.classList.remove("asking-now");
    scrollTo({ top: 0, behavior: "instant" });
    if (saved) setText(this.#announcer, words.asking.saved);
    if (this.#askedOver !== this.#panelName || !this.#consents.focusAsk()) this.#panel?.heading.focus({ preventScroll: true });
  }

  /** @param {{mode: string, live: boolean, text: string}} recording */
  #showRecording({ mode, live, text }) {
    this.#live = this.#room.live = live;
    this.#strip.hidden = text === "";
    this.#strip.dataset.mode = mode;
    setText(this.#light, text);
    document.title = mode === "recording" ? words.recordingTitle : words.title;
  }

  /** @param {string} key @param {EventTarget | null} target @returns {boolean} whether the panel took it */
  #passKey(key, target) {
    const panel = this.#panel;
    if (panel instanceof GatherMaterial) return panel.takeKey(key, target);
    return panel instanceof ReviewDraft && panel.takeKey(key, target);
  }

  /** @param {KeyboardEvent} event */
  #takeKey(event) {
    const { target, key } = event;
    const typing = target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && target.type !== "checkbox" && target.type !== "radio");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !this.#keys.singleKeys) return;
    if (key === "?") this.#keys.toggle();
    else if (this.#asking !== null || !this.#passKey(key.toLowerCase(), target)) return;
    event.preventDefault();
  }
}

customElements.define("visit-page", VisitPage);
