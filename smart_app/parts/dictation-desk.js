// @ts-check
/**
 * Dictation: record with the microphone, or give a WAV or FLAC file. What was recorded stays in this element until
 * the visit has it, and goes when the element does.
 */
import { Trouble, askTab } from "../api.js";
import { make, makeButton, makeId, setText } from "../element.js";
import { MicrophoneRefused, Recorder } from "../recorder.js";
import { showClock } from "../time.js";
import { recogniseSound } from "../wav.js";
import { words } from "../words.js";
import { ConfirmButton } from "./confirm-button.js";

/** @typedef {import("../visit.js").Visit} Visit */
/** @typedef {import("../view.js").View} View */
/** @typedef {"idle" | "opening" | "recording" | "paused" | "lost" | "sending" | "kept"} Mode */

const LIMIT_BYTES = 100_000_000;
const LIMIT_SECONDS = 50 * 60;
const WARNING_SECONDS = 45 * 60;
const SILENCE_SECONDS = 5;
const SILENCE_PEAK = 0.004;
const KEY_MS = 60_000; // how long the address of a tab is good

export class DictationDesk extends HTMLElement {
  /** @type {Mode} */
  mode = "idle";
  #visit;
  /** @type {Recorder | null} */
  #recorder = null;
  /** @type {Blob | null} */
  #kept = null;
  #heardAt = 0;
  #transcribing = false;
  #speechReady = false;

  #intro = make("p", { class: "quiet" }, words.recorder.intro);
  #clock = make("span", { class: "clock", role: "timer", "aria-label": words.recorder.clock });
  #light = make("strong", { class: "record-state" });
  #level = make("meter", { min: 0, max: 1, low: 0.02, high: 0.95, optimum: 0.4, "aria-label": words.recorder.level });
  #panel = make("div", { class: "record-panel" }, this.#light, this.#clock, this.#level);
  #hint = make("p", { class: "notice", role: "status" });
  #record = makeButton(words.recorder.record, () => void this.#open(), { class: "primary record-button" });
  #pause = makeButton(words.recorder.pause, () => this.#togglePause());
  #stop = makeButton(words.recorder.stop, () => void this.#finish(), { class: "primary" });
  #again = makeButton(words.recorder.sendAgain, () => void this.#send(this.#kept), { class: "primary" });
  #discard = new ConfirmButton({
    label: words.recorder.discard,
    question: words.recorder.discardQuestion,
    yes: words.recorder.discardYes,
    no: words.recorder.discardNo,
    onYes: () => this.discard(),
  });
  #tab = make("a", { class: "button", target: "_blank", rel: "noopener noreferrer", hidden: true }, words.recorder.openTab);
  #tabReady = false;
  #here = makeButton(words.recorder.goOnHere, () => void this.#takeBack(), { class: "primary", hidden: true });
  #file = make("input", { type: "file", accept: ".wav,.flac,audio/wav,audio/flac", id: makeId(), class: "visually-hidden", autocomplete: "off" });
  #drop;

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#visit = visit;
    this.#drop = make(
      "div",
      { class: "drop" },
      this.#file,
      make("label", { class: "button", for: this.#file.id }, words.recorder.choose),
      make("span", { class: "quiet" }, words.recorder.drop),
    );
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.#tab.href = location.href;
    this.append(
      make("h3", {}, words.gathering.dictate),
      this.#intro,
      this.#panel,
      make("div", { class: "row" }, this.#record, this.#stop, this.#pause, this.#again, this.#discard),
      this.#hint,
      this.#tab,
      this.#here,
      this.#drop,
    );
    this.#tab.addEventListener("click", (event) => void this.#openTab(event));
    this.#visit.addEventListener("trouble", this.#seeTrouble);
    this.#file.addEventListener("change", () => {
      void this.takeFiles(this.#file.files);
    });
    this.#setMode("idle");
  }

  disconnectedCallback() {
    this.#visit.removeEventListener("trouble", this.#seeTrouble);
    this.discard();
  }

  /** @returns {boolean} whether sound is here that the visit does not have yet */
  get holdsSound() {
    return this.mode !== "idle" && this.mode !== "opening";
  }

  /** @param {View} view */
  show(view) {
    this.#transcribing = view.working?.what === "transcribing";
    const wasReady = this.#speechReady;
    this.#speechReady = view.speech.ready;
    if (!this.#speechReady && this.mode === "idle") this.#say(words.recorder.notReady);
    else if (this.#speechReady && !wasReady && this.#hint.textContent === words.recorder.notReady) this.#say("");
    this.#arrange();
  }

  /** Stop the microphone and drop what it gave. */
  discard() {
    this.#recorder?.discard();
    this.#recorder = null;
    this.#kept = null;
    this.#say("");
    this.#setMode("idle");
  }

  /**
   * A file that was dropped or chosen.
   *
   * @param {FileList | null | undefined} files
   */
  async takeFiles(files) {
    const [file, second] = files ?? [];
    if (file === undefined || !this.#free) return;
    if (second !== undefined) return this.#say(words.recorder.oneFile);
    if (file.size === 0) return this.#say(words.recorder.emptyFile);
    if (file.size > LIMIT_BYTES) return this.#say(words.recorder.bigFile);
    const type = await recogniseSound(file).catch(() => null);
    this.#file.value = "";
    if (type === null) return this.#say(words.recorder.wrongFile);
    await this.#send(file.slice(0, file.size, type));
  }

  get #free() {
    return this.mode === "idle" && this.#speechReady && !this.#transcribing;
  }

  async #open() {
    this.#say("");
    this.#tab.hidden = true;
    this.#setMode("opening");
    try {
      const recorder = await Recorder.open({
        onLevel: (peak) => this.#hear(peak),
        onLost: () => this.#lose(),
      });
      if (!this.isConnected || this.mode !== "opening") return recorder.discard();
      this.#recorder = recorder;
      this.#heardAt = 0;
      this.#setMode("recording");
      this.#pause.focus();
    } catch (error) {
      const reason = error instanceof MicrophoneRefused ? error.reason : "microphoneBusy";
      this.#setMode("idle");
      this.#say(words.recorder[reason]);
      this.#tab.hidden = reason !== "framed";
    }
  }

  /**
   * The tab has no cookie of this visit: it gets an address that is good once, and the visit goes on there. Where the
   * browser opens no tab by itself, the next press of the link does.
   *
   * @param {MouseEvent} event
   */
  async #openTab(event) {
    if (this.#tabReady) return;
    event.preventDefault();
    const address = await this.#askTab();
    if (address === null) return;
    this.#tab.href = address.href;
    this.#tabReady = true;
    setTimeout(() => this.#forgetTab(), KEY_MS);
    this.#tab.click();
  }

  #forgetTab() {
    this.#tabReady = false;
    this.#tab.href = location.href;
  }

  async #takeBack() {
    const address = await this.#askTab();
    if (address !== null) location.replace(address);
  }

  /** @returns {Promise<URL | null>} */
  async #askTab() {
    try {
      return await askTab();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.#say(error.message);
      return null;
    }
  }

  /** Whether the visit now goes on in another tab, where it was moved from here. */
  #seeTrouble = () => {
    const moved = this.#visit.trouble?.code === "visit.moved";
    if (moved) this.#forgetTab();
    this.#here.hidden = !moved;
    if (moved) this.#tab.hidden = true;
  };

  /** @param {number} peak in [0, 1] */
  #hear(peak) {
    const seconds = this.#recorder?.seconds ?? 0;
    setText(this.#clock, showClock(seconds));
    this.#level.value = Math.sqrt(peak); // closer to loudness as it is heard than the plain peak
    if (peak > SILENCE_PEAK) this.#heardAt = seconds;
    const silent = seconds - this.#heardAt > SILENCE_SECONDS;
    if (seconds > LIMIT_SECONDS) {
      this.#togglePause();
      this.#setMode("lost");
      this.#say(words.recorder.atLimit);
    } else this.#say(silent ? words.recorder.silent : seconds > WARNING_SECONDS ? words.recorder.nearLimit : "");
    this.#report();
  }

  #lose() {
    if (this.mode !== "recording" && this.mode !== "paused") return;
    this.#recorder?.pause();
    this.#setMode("lost");
    this.#say(words.recorder.lost);
  }

  #togglePause() {
    if (this.mode === "recording") {
      this.#recorder?.pause();
      this.#setMode("paused");
    } else {
      this.#recorder?.resume();
      this.#heardAt = this.#recorder?.seconds ?? 0;
      this.#setMode("recording");
    }
  }

  async #finish() {
    const recorder = this.#recorder;
    if (recorder === null) return;
    this.#setMode("sending");
    const sound = await recorder.stop();
    this.#recorder = null;
    if (sound === null) {
      this.#setMode("idle");
      this.#say(words.recorder.nothing);
      return;
    }
    await this.#send(sound);
  }

  /** @param {Blob | null} sound */
  async #send(sound) {
    if (sound === null) return;
    this.#say("");
    this.#kept = sound;
    this.#setMode("sending");
    const sent = await this.#visit.sendDictation(sound);
    if (this.#kept !== sound) return; // discarded while it was on its way
    if (sent) {
      this.#kept = null;
      this.#setMode("idle");
    } else if (this.isConnected) {
      this.#setMode("kept");
      this.#say(words.recorder.kept);
    }
  }

  /** @param {string} text */
  #say(text) {
    setText(this.#hint, text);
    this.#hint.hidden = text === "";
  }

  /** @param {Mode} mode */
  #setMode(mode) {
    this.mode = mode;
    this.#arrange();
    this.#report();
  }

  #arrange() {
    const mode = this.mode;
    const running = mode === "recording" || mode === "paused" || mode === "lost";
    this.dataset.mode = mode;
    const states = { recording: words.recorder.recording, opening: words.recorder.opening, sending: words.recorder.sending };
    setText(this.#light, running && mode !== "recording" ? words.recorder.paused : (states[/** @type {keyof typeof states} */ (mode)] ?? ""));
    if (mode !== "recording") this.#level.value = 0;
    if (!running) setText(this.#clock, showClock(0));
    this.#panel.hidden = !running && mode !== "opening" && mode !== "sending";
    this.#clock.hidden = this.#level.hidden = !running;
    this.#record.hidden = mode !== "idle";
    this.#record.disabled = !this.#free;
    this.#pause.hidden = mode !== "recording" && mode !== "paused";
    setText(this.#pause, mode === "paused" ? words.recorder.resume : words.recorder.pause);
    this.#stop.hidden = !running;
    this.#again.hidden = mode !== "kept";
    this.#discard.hidden = !running && mode !== "kept";
    this.#file.disabled = !this.#free;
    this.#drop.hidden = !this.#free;
    this.#intro.hidden = mode !== "idle";
  }

  #report() {
    const detail = { mode: this.mode, seconds: this.#recorder?.seconds ?? 0 };
    this.dispatchEvent(new CustomEvent("recording", { bubbles: true, detail }));
  }
}

customElements.define("dictation-desk", DictationDesk);
