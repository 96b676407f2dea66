// @ts-check
/** The desk of the microphone for a dictation, which may be a file as well. */
import { Capture } from "../capture.js";
import { make, makeButton, setAttributes, setText } from "../element.js";
import { showClock, showTime } from "../time.js";
import { words } from "../words.js";
import { ConfirmButton } from "./confirm-button.js";
import { SoundFile } from "./sound-file.js";
import { TabOffer } from "./tab-offer.js";

/** @typedef {import("../visit.js").Visit} Visit */
/** @typedef {import("../view.js").View} View */

export class DictationDesk extends HTMLElement {
  #words = words.dictation;
  #capture;
  #transcribing = false;
  #speechReady = false;
  #mode = "";

  #intro;
  #clock;
  #light = make("strong", { class: "record-state", role: "status" });
  #level = make("meter", { min: 0, max: 1, low: 0.02, high: 0.95, optimum: 0.4, "aria-label": words.recorder.level });
  #panel;
  #checked = make("p", { class: "quiet" });
  #hint = make("p", { class: "notice", role: "status", dir: "auto" });
  #record;
  #pause = makeButton("", () => (this.#capture.mode === "paused" ? void this.#capture.resume() : this.#capture.pause()));
  #stop;
  #again = makeButton(words.recorder.sendAgain, () => void this.#capture.send(), { class: "primary" });
  #notNow = makeButton(words.recorder.notNow, () => this.#giveUp(), { class: "quiet-button" });
  #discard;
  #tab;
  #file;

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#capture = new Capture(visit);
    this.#intro = make("p", { class: "quiet" }, this.#words.intro);
    this.#clock = make("span", { class: "clock", role: "timer", "aria-label": this.#words.clock });
    this.#panel = make("div", { class: "record-panel" }, this.#light, this.#clock, this.#level);
    this.#record = makeButton(this.#words.record, () => void this.#capture.start(), { class: "primary record-button" });
    this.#stop = makeButton(this.#words.stop, () => void this.#capture.finish(), { class: "primary" });
    this.#discard = new ConfirmButton({
      label: words.recorder.discard,
      question: this.#words.discardQuestion,
      yes: words.recorder.discardYes,
      no: words.recorder.discardNo,
      onYes: () => this.#capture.discard(),
    });
    this.#tab = new TabOffer(visit, (text) => this.#capture.say(text));
    this.#file = new SoundFile((sound) => void this.#capture.send(sound), (text) => this.#capture.say(text));
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const buttons = [this.#record, this.#notNow, this.#stop, this.#pause, this.#again, this.#discard];
    this.append(
      make("h3", {}, this.#words.title),
      this.#intro,
      this.#panel,
      make("div", { class: "row" }, ...buttons),
      this.#checked,
      this.#hint,
      this.#tab,
      this.#file,
    );
    this.#capture.addEventListener("change", () => this.#arrange());
    this.#capture.addEventListener("level", () => this.#measure());
    this.#arrange();
  }

  disconnectedCallback() {
    this.#capture.close();
  }

  get mode() {
    return this.#capture.mode;
  }

  /** @returns {boolean} whether sound is here that the visit does not have yet */
  get holdsSound() {
    return this.#capture.holdsSound;
  }

  /** @param {View} view */
  show(view) {
    this.#capture.follow(view);
    this.#transcribing = view.working?.what === "transcribing";
    this.#speechReady = view.speech.ready;
    const { checked_at: checkedAt } = view.capture;
    setText(this.#checked, checkedAt ? words.recorder.checked(showTime(checkedAt)) : "");
    this.#arrange();
  }

  /** Close the microphone at once and drop its sound; the visit is told apart. */
  drop() {
    this.#capture.drop();
  }

  /** Take nothing while something else is read or asked. */
  pause() {
    this.#capture.pause();
  }

  /** @param {FileList | null | undefined} files dropped anywhere on the panel */
  async takeFiles(files) {
    await this.#file.take(files);
  }

  #giveUp() {
    this.#capture.discard();
    this.#record.focus();
  }

  #arrange() {
    const { mode, running, waiting } = this.#capture;
    const free = mode === "idle" && this.#speechReady && !this.#transcribing;
    this.dataset.mode = mode;
    setText(this.#light, this.#words.states[mode] ?? "");
    this.#panel.hidden = !running && !waiting && mode !== "sending";
    this.#clock.hidden = this.#level.hidden = !running;
    this.#record.hidden = mode !== "idle" && !waiting;
    setAttributes(this.#record, { disabled: !free && !waiting, "aria-disabled": waiting ? "true" : null });
    this.#checked.hidden = !running || this.#checked.textContent === "";
    this.#notNow.hidden = !waiting;
    this.#pause.hidden = !running || mode === "lost";
    setAttributes(this.#pause, { "aria-disabled": mode === "resuming" ? "true" : null });
    setText(this.#pause, mode === "recording" ? words.recorder.pause : this.#words.resume);
    this.#stop.hidden = !running;
    this.#again.hidden = mode !== "kept";
    this.#discard.hidden = !running && mode !== "kept";
    this.#file.free = free;
    this.#intro.hidden = mode !== "idle";
    this.#tab.offer(this.#capture.framed);
    const hint = !this.#speechReady && mode === "idle" ? words.recorder.notReady : this.#capture.hint;
    setText(this.#hint, hint);
    this.#hint.hidden = hint === "";
    if (mode === "recording" && this.#mode === "opening") this.#pause.focus();
    this.#mode = mode;
    this.#measure();
  }

  #measure() {
    const { mode, seconds, peak, running, live } = this.#capture;
    setText(this.#clock, showClock(seconds));
    this.#level.value = Math.sqrt(peak); // closer to loudness as it is heard than the plain peak
    const say = mode === "recording" ? this.#words.strip : this.#words.stripPaused;
    const detail = { mode, live, text: running ? say(showClock(seconds)) : "" };
    this.dispatchEvent(new CustomEvent("recording", { bubbles: true, detail }));
  }
}

customElements.define("dictation-desk", DictationDesk);
