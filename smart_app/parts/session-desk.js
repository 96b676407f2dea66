// @ts-check
/** The desk of a session's sound: start, pause, strike, discard, end; who speaks; what is heard, and what is wrong. */
import { arrange, make, makeButton, setAttributes, setText } from "../element.js";
import { SessionCapture } from "../session-capture.js";
import { SPEECH_RATE } from "../sound-frame.js";
import { showClock, showTime } from "../time.js";
import { words } from "../words.js";
import { ConfirmButton } from "./confirm-button.js";
import { SoundInputs } from "./sound-inputs.js";
import { SpeakerMarks } from "./speaker-marks.js";
import { TabOffer } from "./tab-offer.js";

/** @typedef {import("../visit.js").Visit} Visit */
/** @typedef {import("../view.js").View} View */

export class SessionDesk extends HTMLElement {
  #capture;
  #inputs;
  #marks;
  #tab;
  #transcribing = false;
  #speechReady = false;
  #mode = "";

  #intro = make("p", { class: "quiet" }, words.session.intro);
  #light = make("strong", { class: "record-state", role: "status" });
  #clock = make("span", { class: "clock", role: "timer", "aria-label": words.session.clock });
  #panel = make("div", { class: "record-panel" }, this.#light, this.#clock);
  #sharing = make("p", {}, words.session.sharing);
  #record = makeButton(words.session.record, () => void this.#capture.start(this.#inputs.chosen), { class: "primary record-button" });
  #share = makeButton(words.session.share, () => this.#capture.shareTab(), { class: "primary" });
  #notNow = makeButton(words.recorder.notNow, () => this.#giveUp(), { class: "quiet-button" });
  #stop = makeButton(words.session.stop, () => void this.#capture.finish(), { class: "primary" });
  #pause = makeButton("", () => (this.#capture.mode === "paused" ? void this.#capture.resume() : this.#capture.pause()));
  #strike;
  #discard;
  #discardHeard;
  #earlier = make("p", { class: "quiet" }, words.session.earlier);
  #hasRecorded = false;
  #checked = make("p", { class: "quiet" });
  #struck = make("ul", { class: "struck" });
  #hint = make("p", { class: "notice", role: "status", dir: "auto" });
  #warnings = make("ul", { class: "warnings" });

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#capture = new SessionCapture(visit);
    this.#inputs = new SoundInputs(this.#capture);
    this.#marks = new SpeakerMarks(this.#capture);
    this.#strike = new ConfirmButton({
      label: words.session.strike,
      question: words.session.strikeQuestion,
      yes: words.session.strikeYes,
      no: words.session.strikeNo,
      onYes: () => void this.#capture.strike(),
    });
    this.#discard = new ConfirmButton({
      label: words.session.discard,
      question: words.session.discardQuestion,
      yes: words.session.discardYes,
      no: words.session.discardNo,
      onYes: () => this.#giveUp(),
    });
    this.#discardHeard = new ConfirmButton({
      label: words.session.discardHeard,
      question: words.session.discardHeardQuestion,
      yes: words.session.discardYes,
      no: words.session.discardNo,
      onYes: () => void visit.act("api/capture", { do: "discard" }).then(() => this.#record.focus()),
    });
    this.#tab = new TabOffer(visit, (text) => this.#capture.say(text));
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const buttons = [this.#record, this.#share, this.#notNow, this.#stop, this.#pause, this.#strike, this.#discard, this.#discardHeard];
    this.append(
      make("h3", {}, words.session.title),
      this.#intro,
      this.#earlier,
      this.#panel,
      this.#sharing,
      make("div", { class: "row" }, ...buttons),
      this.#hint,
      make("div", { role: "status" }, this.#warnings),
      make("div", { role: "status" }, this.#struck),
      this.#tab,
      this.#marks,
      this.#inputs,
      this.#checked,
    );
    this.#capture.addEventListener("change", () => this.#arrange());
    this.#capture.addEventListener("held", () => this.#warn());
    this.#capture.addEventListener("level", () => this.#measure());
    this.#arrange();
  }

  disconnectedCallback() {
    this.#capture.close();
  }

  get mode() {
    return this.#capture.mode;
  }

  /** @returns {boolean} whether leaving now would lose something */
  get holdsSound() {
    return this.#capture.holdsSound;
  }

  /** @param {View} view */
  show(view) {
    this.#capture.follow(view);
    this.#transcribing = view.working?.what === "transcribing";
    this.#speechReady = view.speech.ready;
    this.#hasRecorded = view.segments.some(({ source }) => source === "session");
    this.#inputs.bled = view.bled;
    const { checked_at: checkedAt } = view.capture;
    setText(this.#checked, checkedAt ? words.recorder.checked(showTime(checkedAt)) : "");
    this.#arrange();
  }

  /** Close the microphone at once and drop what is here; the visit is told apart. */
  drop() {
    this.#capture.drop();
  }

  /** Take nothing while something else is read or asked. */
  pause() {
    this.#capture.pause();
  }

  /** A session is no file. */
  async takeFiles() {}

  /** @param {string} key @returns {boolean} whether it does something here */
  takeKey(key) {
    return this.#marks.takeKey(key);
  }

  #giveUp() {
    this.#capture.discard();
    this.#record.focus();
  }

  #arrange() {
    const { mode, running, waiting } = this.#capture;
    const free = mode === "idle" && this.#speechReady && !this.#transcribing;
    this.dataset.mode = mode;
    setText(this.#light, words.session.states[mode] ?? "");
    this.#panel.hidden = !running && !waiting && mode !== "sending";
    this.#clock.hidden = !running;
    this.#sharing.hidden = this.#share.hidden = mode !== "sharing";
    this.#record.hidden = mode !== "idle" && (!waiting || mode === "sharing");
    setAttributes(this.#record, { disabled: !free && !waiting, "aria-disabled": waiting ? "true" : null });
    this.#notNow.hidden = !waiting;
    this.#stop.hidden = this.#pause.hidden = this.#strike.hidden = !running;
    setAttributes(this.#pause, { "aria-disabled": mode === "resuming" ? "true" : null });
    setText(this.#pause, mode === "recording" ? words.recorder.pause : words.session.resume);
    this.#discard.hidden = !this.#capture.holdsSound;
    this.#checked.hidden = !running || this.#checked.textContent === "";
    const past = mode === "idle" && this.#hasRecorded && !this.#transcribing;
    this.#discardHeard.hidden = !past || this.#capture.holdsSound;
    this.#earlier.hidden = !past;
    this.#intro.hidden = mode !== "idle" || past;
    this.#tab.offer(this.#capture.framed);
    const hint = !this.#speechReady && mode === "idle" ? words.recorder.notReady : this.#capture.hint;
    setText(this.#hint, hint);
    this.#hint.hidden = hint === "";
    this.#showStruck();
    this.#marks.show();
    this.#inputs.show();
    if (mode === "recording" && (this.#mode === "opening" || this.#mode === "sharing")) this.#pause.focus();
    if (mode === "sharing" && this.#mode !== "sharing") this.#share.focus();
    this.#mode = mode;
    this.#measure();
  }

  #showStruck() {
    const gone = this.#capture.struck.map(({ from, to }) => words.session.struck(showClock(from / SPEECH_RATE), showClock(to / SPEECH_RATE)));
    if (this.#capture.striking > 0) gone.push(words.session.striking);
    showSentences(this.#struck, gone);
  }

  #warn() {
    showSentences(this.#warnings, this.#capture.warnings);
  }

  #measure() {
    const { mode, seconds, running, live } = this.#capture;
    setText(this.#clock, showClock(seconds));
    this.#inputs.measure();
    this.#warn();
    const say = mode === "recording" ? words.session.strip : words.session.stripPaused;
    const text = running ? say(showClock(seconds)) : "";
    this.dispatchEvent(new CustomEvent("recording", { bubbles: true, detail: { mode, live, text } }));
  }
}

/** @param {HTMLElement} list @param {readonly string[]} sentences each once */
function showSentences(list, sentences) {
  list.hidden = sentences.length === 0;
  arrange(list, [...new Set(sentences)], (sentence) => sentence, (sentence) => make("li", {}, sentence));
}

customElements.define("session-desk", SessionDesk);
