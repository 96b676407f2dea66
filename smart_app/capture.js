// @ts-check
/**
 * Dictated sound for the visit: from the microphone, which opens only while the visit says that capture is on and
 * closes at once where it says otherwise, or from a file. What was dictated stays in this object until the visit has
 * it. It touches no document; it fires `change` with each new mode or hint, and `level` with each block of sound.
 */
import { CapturePermit } from "./capture-permit.js";
import { MicrophoneRefused, Recorder } from "./recorder.js";
import { words } from "./words.js";

/** @typedef {import("./visit.js").Visit} Visit */
/** @typedef {import("./view.js").View} View */
/** @typedef {"idle" | "asking" | "opening" | "recording" | "paused" | "resuming" | "lost" | "sending" | "kept"} Mode */

const LIMIT_SECONDS = 50 * 60;
const WARNING_SECONDS = 45 * 60;
const SILENCE_SECONDS = 5;
const SILENCE_PEAK = 0.004;
const UNREACHED_MS = 60_000; // so long, nobody can say that the patient still agrees
/** @type {readonly Mode[]} */
const HOLDING = ["recording", "paused", "resuming", "lost"];

export class Capture extends EventTarget {
  /** @type {Mode} */
  mode = "idle";
  /** What the clinician should know now; a sentence or empty. */
  hint = "";
  /** Whether the frame around the page is why the microphone did not open. */
  framed = false;
  /** Of the last block of sound, in [0, 1]. */
  peak = 0;

  #visit;
  #words = words.dictation;
  #permit;
  #tries = 0;
  /** @type {Recorder | null} */
  #recorder = null;
  /** @type {Blob | null} */
  #kept = null;
  #heardAt = 0;
  #gone = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #unreached;

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#visit = visit;
    this.#permit = new CapturePermit(visit);
    visit.addEventListener("trouble", this.#seeTrouble);
  }

  /** Drop everything, for good; the visit is told, unless it said so itself. */
  close() {
    const view = this.#visit.view;
    this.#gone = true;
    clearTimeout(this.#unreached);
    this.#visit.removeEventListener("trouble", this.#seeTrouble);
    if (view?.phase === "gathering" && view.capture.state !== "off") this.discard();
    else this.drop();
  }

  /** @returns {number} recorded so far */
  get seconds() {
    return this.#recorder?.seconds ?? 0;
  }

  /** @returns {boolean} whether a recording is under way, running or not */
  get running() {
    return HOLDING.includes(this.mode);
  }

  /** @returns {boolean} whether the microphone is about to open */
  get waiting() {
    return this.mode === "asking" || this.mode === "opening";
  }

  /** @returns {boolean} whether the microphone takes sound, or is about to */
  get live() {
    return this.waiting || this.mode === "recording" || this.mode === "resuming";
  }

  /** @returns {boolean} whether sound is here that the visit does not have yet */
  get holdsSound() {
    return this.mode !== "idle" && !this.waiting;
  }

  /** Do as the visit says now. @param {View} view */
  follow(view) {
    const { state, words: why } = view.capture;
    if (this.running && state === "off") {
      this.drop();
      this.say(why || this.#words.ended);
    } else if (this.mode === "recording" && state === "paused") {
      this.#recorder?.pause();
      this.#set("paused", why);
    } else if (this.mode === "paused" && state === "paused" && why) this.say(why);
    else if (this.#recorder === null && !this.waiting) this.#permit.correct(view);
  }

  /** Have consent read again; only then open the microphone. */
  async start() {
    const current = this.#begin("asking");
    const permitted = await this.#permit.ask();
    if (!current()) return;
    if (!permitted) return this.#set("idle", this.#visit.view?.capture.words ?? "");
    this.#set("opening");
    try {
      const recorder = await Recorder.open({ onLevel: (peak) => this.#hear(peak), onLost: () => this.#lose() });
      const permittedStill = this.#visit.view?.capture.state === "on";
      if (!current() || !permittedStill) recorder.discard();
      if (!current()) return;
      if (!permittedStill) return this.discard();
      this.#recorder = recorder;
      this.#heardAt = 0;
      this.#set("recording");
    } catch (error) {
      if (!current()) return;
      const reason = error instanceof MicrophoneRefused ? error.reason : "microphoneBusy";
      this.discard();
      this.framed = reason === "framed";
      this.say(words.recorder[reason]);
    }
  }

  /** Take nothing for now. */
  pause(why = "") {
    if (this.mode !== "recording" && this.mode !== "resuming") return;
    this.#recorder?.pause();
    this.#set("paused", why);
    this.#permit.pause();
  }

  /** Have consent read again; only then go on. */
  async resume() {
    if (this.mode !== "paused") return;
    const current = this.#begin("resuming");
    const permitted = await this.#permit.ask();
    if (!current()) return;
    if (!permitted) return this.#set("paused", this.#visit.view?.capture.words ?? "");
    this.#recorder?.resume();
    this.#heardAt = this.seconds;
    this.#set("recording");
  }

  /** Close the microphone and send what it gave. */
  async finish() {
    const recorder = this.#recorder;
    if (recorder === null || !this.running) return;
    this.#begin("sending");
    const stopped = this.#permit.stop();
    const sound = await recorder.stop();
    await stopped;
    if (this.#recorder !== recorder || this.#gone) return; // discarded meanwhile
    this.#recorder = null;
    if (sound === null) return this.#set("idle", words.recorder.nothing);
    await this.send(sound);
  }

  /** @param {Blob | null} [sound] a file; without one, what was not sent before */
  async send(sound = this.#kept) {
    if (sound === null) return;
    this.#kept = sound;
    this.#set("sending");
    const sent = await this.#visit.sendDictation(sound);
    if (this.#kept !== sound) return; // discarded while it was on its way
    if (sent) this.#kept = null;
    this.#set(sent ? "idle" : "kept", sent ? "" : this.#words.kept);
  }

  /** Close the microphone at once, drop what it gave, and tell the visit. */
  discard() {
    const capturing = this.running || this.waiting;
    this.drop();
    if (capturing) void this.#permit.stop();
  }

  /** Close the microphone at once and drop what it gave; the visit is about to be told, or has said so. */
  drop() {
    this.#tries += 1;
    this.#recorder?.discard();
    this.#recorder = null;
    this.#kept = null;
    this.#set("idle");
  }

  /** @param {string} hint */
  say(hint) {
    if (hint === this.hint) return;
    this.hint = hint;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Mode} mode @returns {() => boolean} whether nothing else was begun since */
  #begin(mode) {
    const mine = (this.#tries += 1);
    this.#set(mode);
    return () => mine === this.#tries && !this.#gone;
  }

  /** @param {Mode} mode @param {string} [hint] */
  #set(mode, hint = "") {
    this.mode = mode;
    this.hint = hint;
    this.framed = false;
    if (mode !== "recording") this.peak = 0;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} peak in [0, 1] */
  #hear(peak) {
    if (this.mode !== "recording") return;
    this.peak = peak;
    if (peak > SILENCE_PEAK) this.#heardAt = this.seconds;
    const silent = this.seconds - this.#heardAt > SILENCE_SECONDS;
    if (this.seconds > LIMIT_SECONDS) return this.#lose(this.#words.atLimit);
    this.say(silent ? words.recorder.silent : this.seconds > WARNING_SECONDS ? this.#words.nearLimit : "");
    this.dispatchEvent(new Event("level"));
  }

  /** The microphone takes no more, and what it gave can only be sent or dropped. */
  #lose(why = this.#words.lost) {
    if (!this.running || this.mode === "lost") return;
    this.#tries += 1;
    this.#recorder?.pause();
    this.#set("lost", why);
    this.#permit.pause();
  }

  /** A visit that is lost to this page, or not reached for a while, can't say that the patient still agrees. */
  #seeTrouble = () => {
    clearTimeout(this.#unreached);
    const pause = () => this.pause(this.#words.unreached);
    const kind = this.#visit.trouble?.kind;
    if (kind === "forbidden" || kind === "missing") pause();
    else if (kind === "offline") this.#unreached = setTimeout(pause, UNREACHED_MS);
  };
}
