// @ts-check
/**
 * The sound of a session for the visit: consent first, then the microphone, then frames for as long as both hold.
 * What the visit says ends it ends it here at once. It touches no document; it fires `change` with each new mode,
 * hint or warning, and `level` with each measure of the sound.
 */
import { sessionUrl } from "./api.js";
import { CapturePermit } from "./capture-permit.js";
import { MicrophoneRefused } from "./recorder.js";
import { SessionLink } from "./session-link.js";
import { SessionSound } from "./session-sound.js";
import { SessionWatch } from "./session-watch.js";
import { sayMark, sayPause, sayResume } from "./session-words.js";
import { CHANNELS, SPEECH_RATE } from "./sound-frame.js";
import { words } from "./words.js";

/** @typedef {import("./visit.js").Visit} Visit */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./held-sound.js").Span} Span */
/** @typedef {"idle" | "asking" | "opening" | "sharing" | "recording" | "paused" | "resuming" | "sending"} Mode */
/** @typedef {"patient" | "clinician"} Marked */
/** @typedef {{microphone: string, call: "none" | "tab" | "input", second: string}} Sources device ids; empty for any */

const STRIKE_SECONDS = 120;
const MARK_SECONDS = 10; // a mark is told at least so often: what was said before is transcribed meanwhile
/** @type {readonly Mode[]} */
const RUNNING = ["recording", "paused", "resuming"];

export class SessionCapture extends EventTarget {
  /** @type {Mode} */
  mode = "idle";
  /** What the clinician should know now; a sentence or empty. */
  hint = "";
  /** Whether the frame around the page is why the microphone did not open. */
  framed = false;
  /** Of each channel's last measure, in [0, 1]. @type {number[]} */
  peaks = [];
  /** What was struck, and is gone at the visit too. @type {Span[]} */
  struck = [];
  /** Whether a strike is on its way. */
  striking = 0;
  /** @type {Marked | null} who is marked as speaking now */
  marked = null;

  #visit;
  #permit;
  #watch = new SessionWatch();
  #tries = 0;
  #gone = false;
  /** @type {SessionSound | null} */
  #sound = null;
  /** @type {SessionLink | null} */
  #link = null;
  #clock = 0;
  #markedFrom = 0;
  /** @type {(() => void) | null} */
  #share = null;

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#visit = visit;
    this.#permit = new CapturePermit(visit);
    visit.addEventListener("trouble", this.#seeTrouble);
    addEventListener("online", this.#seeOnline);
  }

  /** Drop everything, for good; the visit is told, unless it said so itself. */
  close() {
    const view = this.#visit.view;
    this.#gone = true;
    this.#visit.removeEventListener("trouble", this.#seeTrouble);
    removeEventListener("online", this.#seeOnline);
    this.drop();
    if (view?.phase === "gathering" && view.capture.state !== "off") void this.#permit.stop();
  }

  /** @returns {number} recorded so far */
  get seconds() {
    return this.#clock / SPEECH_RATE;
  }

  /** @returns {boolean} whether a session is under way, running or not */
  get running() {
    return RUNNING.includes(this.mode);
  }

  /** @returns {boolean} whether the microphone is about to record */
  get waiting() {
    return this.mode === "asking" || this.mode === "opening" || this.mode === "sharing";
  }

  /** @returns {boolean} whether the microphone takes sound, or is about to */
  get live() {
    return this.waiting || this.mode === "recording" || this.mode === "resuming";
  }

  /** @returns {boolean} whether leaving now would lose something */
  get holdsSound() {
    return this.running || this.mode === "sending";
  }

  /** @returns {string[]} what is wrong just now, in sentences */
  get warnings() {
    const said = this.#watch.describe(this.mode === "recording", this.#clock);
    const held = this.#link?.heldSeconds ?? 0;
    if (this.#link !== null && !this.#link.online && this.holdsSound) said.unshift(words.session.offline(Math.floor(held / 10) * 10));
    if (this.callEnded) said.push(words.session.callEnded);
    return said;
  }

  /** @returns {boolean} whether the call's own source went away */
  get callEnded() {
    return this.running && this.#channels === 2 && this.#sound !== null && !this.#sound.hears(1);
  }

  /** @returns {string[]} the device that each channel hears */
  get devices() {
    return CHANNELS.map((_, channel) => this.#sound?.deviceOf(channel) ?? "");
  }

  get #channels() {
    return this.peaks.length;
  }

  /** Do as the visit says now. @param {View} view */
  follow(view) {
    const { state, words: why } = view.capture;
    const unsent = this.mode === "sending" && (this.#link?.heldSeconds ?? 0) > 0;
    if ((this.running || unsent) && state === "off") {
      this.drop();
      this.say(why || words.session.ended);
    } else if (this.mode === "recording" && state === "paused") void this.#halt(why);
    else if (this.mode === "paused" && state === "paused" && why) this.say(why);
    else if (this.#sound === null && this.mode === "idle") this.#permit.correct(view);
  }

  /** Have consent read again; only then open what is to be heard. @param {Sources} sources */
  async start({ microphone, call, second }) {
    const current = this.#begin("asking");
    const permitted = await this.#permit.ask();
    if (!current()) return;
    if (!permitted) return this.#set("idle", this.#visit.view?.capture.words ?? "");
    this.#set("opening");
    this.peaks = call === "none" ? [0] : [0, 0];
    this.#clock = 0;
    this.struck = [];
    const sound = new SessionSound(this.#channels, {
      onFrame: (frame) => this.#link?.push(frame),
      onLevel: (peaks, clock) => this.#measure(peaks, clock),
      onEnded: (channel) => this.#lose(channel),
    });
    this.#sound = sound;
    try {
      await sound.open(microphone);
      if (current() && call === "input") await sound.plug(1, { input: second });
      if (current() && call === "tab") await this.#askForTab(sound, current);
      if (current()) await this.#connect(sound, current);
    } catch (error) {
      if (current()) this.#giveUp(error);
      else sound.close();
    }
  }

  /** In mode `sharing`: the clinician is about to point at the tab of the call. */
  shareTab() {
    this.#share?.();
  }

  /** Take nothing for now. */
  pause(why = "") {
    if (this.mode !== "recording" && this.mode !== "resuming") return;
    void this.#halt(why);
    this.#permit.pause();
  }

  /** Have consent read again; only then go on. */
  async resume() {
    const [sound, link] = [this.#sound, this.#link];
    if (this.mode !== "paused" || sound === null || link === null) return;
    const current = this.#begin("resuming");
    const permitted = await this.#permit.ask();
    if (!current()) return;
    if (!permitted) return this.#set("paused", this.#visit.view?.capture.words ?? "");
    try {
      if (!sound.hears(0)) await sound.plug(0, { input: "" });
    } catch (error) {
      if (!current()) return;
      this.#set("paused", explain(error));
      return this.#permit.pause();
    }
    if (!current()) return;
    link.tell(sayResume(this.#clock));
    this.#watch.begin(this.#clock, sound.seconds, this.#channels);
    sound.go();
    this.#set("recording");
  }

  /** Close the microphone, wait until the visit has all of it, and say that this was all. */
  async finish() {
    const [sound, link] = [this.#sound, this.#link];
    if (!this.running || sound === null || link === null) return;
    this.mark(null);
    const current = this.#begin("sending");
    await sound.finish();
    if (!current()) return;
    const whole = await link.finish();
    if (!current() || !whole) return;
    this.#sound = this.#link = null;
    await this.#permit.stop();
    if (current()) this.#set("idle");
  }

  /** What was said in the last two minutes shall be gone. */
  async strike() {
    const [sound, link] = [this.#sound, this.#link];
    if (!this.running || sound === null || link === null) return;
    this.striking += 1;
    this.dispatchEvent(new Event("change"));
    const now = this.mode === "recording" ? await sound.flush() : this.#clock;
    if (this.#link === link) link.strike(STRIKE_SECONDS, now);
  }

  /** From now on somebody speaks, or it is not known who. @param {Marked | null} speaker */
  mark(speaker) {
    const before = this.marked;
    if (before === speaker || (speaker !== null && (this.mode !== "recording" || this.#channels !== 1))) return;
    if (before !== null && this.#clock > this.#markedFrom) {
      this.#link?.tell(sayMark(before, this.#markedFrom, this.#clock));
    }
    this.marked = speaker;
    this.#markedFrom = this.#clock;
    this.dispatchEvent(new Event("change"));
  }

  /** Hear another device, or the shared tab again. @param {number} channel @param {{input: string} | {tab: true}} what */
  async plug(channel, what) {
    const sound = this.#sound;
    if (sound === null || !this.running) return;
    try {
      await sound.plug(channel, what);
      if (this.#sound === sound) this.say("");
    } catch (error) {
      if (this.#sound === sound) this.say(explain(error));
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Stop: nothing more is sent, and the visit destroys what it has of it. */
  discard() {
    const told = this.holdsSound ? "discard" : "stop";
    const begun = this.mode !== "idle";
    this.drop();
    if (begun) void this.#permit.stop(told);
  }

  /** Close the microphone at once and drop what is here; the visit is about to be told, or has said so. */
  drop() {
    this.#tries += 1;
    this.#link?.abort();
    this.#sound?.close();
    this.#link = this.#sound = this.marked = null;
    this.striking = 0;
    this.struck = [];
    this.#share?.();
    this.#set("idle");
  }

  /** @param {string} hint */
  say(hint) {
    if (hint === this.hint) return;
    this.hint = hint;
    this.dispatchEvent(new Event("change"));
  }

  // ------------------------------------------------------------------------------------------------------------------

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
    if (mode !== "recording") this.peaks = this.peaks.map(() => 0);
    this.dispatchEvent(new Event("change"));
  }

  /** A tab is shared only on a press of its own; one that can't be heard is asked for again. @param {SessionSound} sound @param {() => boolean} current */
  async #askForTab(sound, current) {
    this.#set("sharing");
    while (current() && !sound.hears(1)) {
      await new Promise((resolve) => (this.#share = () => resolve(null)));
      if (!current()) return;
      this.say("");
      await sound.plug(1, { tab: true }).catch((error) => current() && this.say(explain(error)));
    }
    if (current()) this.#set("opening");
  }

  /** @param {SessionSound} sound @param {() => boolean} current */
  async #connect(sound, current) {
    const link = new SessionLink(sessionUrl(), CHANNELS.slice(0, this.#channels), {
      onChange: () => this.#sound === sound && this.dispatchEvent(new Event("held")),
      onStruck: (span) => this.#settleStrike(span),
      onRefused: (message) => this.#end(message || words.session.restarted, true),
      onForbidden: () => this.#end(words.session.ended, false),
      onFull: () => this.pause(words.session.full),
    });
    this.#link = link;
    const begun = await link.open();
    if (!current()) return;
    if (begun === null) return this.#end(words.session.noLine, true);
    if (this.#visit.view?.capture.state !== "on") return this.discard();
    this.#clock = begun.clock;
    this.#watch.begin(this.#clock, sound.seconds, this.#channels);
    this.#watch.forget();
    sound.begin(begun);
    this.#set("recording");
  }

  /** @param {unknown} error */
  #giveUp(error) {
    this.discard();
    this.framed = error instanceof MicrophoneRefused && error.reason === "framed";
    this.say(explain(error));
  }

  /** The visit takes no more. @param {string} why @param {boolean} tell */
  #end(why, tell) {
    this.drop();
    this.say(why);
    if (tell) void this.#permit.stop();
  }

  /** @param {string} why */
  async #halt(why) {
    const [sound, link] = [this.#sound, this.#link];
    const wasRecording = this.mode === "recording";
    this.mark(null);
    this.#tries += 1;
    this.#set("paused", why);
    if (sound === null || !wasRecording) return;
    this.#clock = await sound.pause();
    link?.tell(sayPause(this.#clock));
    this.dispatchEvent(new Event("level"));
  }

  /** @param {number} channel whose source went away */
  #lose(channel) {
    if (this.mode === "recording" && channel === 0) this.pause(words.session.lost);
    else this.dispatchEvent(new Event("change"));
  }

  /** @param {number[]} peaks @param {number} clock */
  #measure(peaks, clock) {
    if (this.mode !== "recording") return;
    this.peaks = peaks;
    this.#clock = clock;
    const slept = this.#watch.take(peaks, clock, this.#sound?.seconds ?? 0);
    if (slept > 0) this.#sound?.skip(slept);
    if (this.marked !== null && clock - this.#markedFrom > MARK_SECONDS * SPEECH_RATE) {
      this.#link?.tell(sayMark(this.marked, this.#markedFrom, clock));
      this.#markedFrom = clock;
    }
    this.dispatchEvent(new Event("level"));
  }

  /** @param {Span} span */
  #settleStrike(span) {
    this.striking = Math.max(0, this.striking - 1);
    this.struck = [...this.struck, span];
    this.dispatchEvent(new Event("change"));
  }

  /** A visit that is lost to this page can't say that the patient still agrees. */
  #seeTrouble = () => {
    const kind = this.#visit.trouble?.kind;
    if (kind === "forbidden" || kind === "missing") this.pause(words.session.unreached);
  };

  #seeOnline = () => this.#link?.retry();
}

/** @param {unknown} error @returns {string} */
function explain(error) {
  const reason = error instanceof MicrophoneRefused ? error.reason : "microphoneBusy";
  return words.recorder[reason];
}
