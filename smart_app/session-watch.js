// @ts-check
/**
 * What can go wrong with a session's sound without anybody noticing: a microphone that hears nothing, and a machine
 * that slept. It only looks at clocks and levels.
 */
import { SPEECH_RATE } from "./sound-frame.js";
import { showClock } from "./time.js";
import { words } from "./words.js";

const FLAT_SECONDS = 10;
const FLAT_PEAK = 0.004;
const SLEPT_SECONDS = 3;
const SLEEPS_SHOWN = 3;

export class SessionWatch {
  /** Where each channel was last heard, in samples of the session's clock. @type {number[]} */
  #heardAt = [];
  /** @type {{audio: number, day: number, page: number}} when both clocks were last known to agree */
  #agreed = { audio: 0, day: 0, page: 0 };
  /** @type {{at: number, seconds: number}[]} */
  #sleeps = [];

  /** Sound is taken from now on. @param {number} clock @param {number} audioSeconds @param {number} channels */
  begin(clock, audioSeconds, channels) {
    this.#heardAt = Array(channels).fill(clock);
    this.#agree(audioSeconds);
  }

  /** What was noticed before is over. */
  forget() {
    this.#sleeps = [];
  }

  /**
   * @param {readonly number[]} peaks @param {number} clock samples @param {number} audioSeconds of the audio thread
   * @returns {number} seconds that passed without sound, if the machine slept; else 0
   */
  take(peaks, clock, audioSeconds) {
    for (const [channel, peak] of peaks.entries()) if (peak > FLAT_PEAK) this.#heardAt[channel] = clock;
    // The page's clock stands still while some machines sleep, the clock of day never does.
    const passed = Math.max(Date.now() - this.#agreed.day, performance.now() - this.#agreed.page) / 1000;
    const seconds = passed - (audioSeconds - this.#agreed.audio);
    if (seconds < SLEPT_SECONDS) return 0;
    this.#agree(audioSeconds);
    this.#heardAt = this.#heardAt.map((at) => at + Math.round(seconds * SPEECH_RATE)); // nobody could be heard
    this.#sleeps = [...this.#sleeps, { at: clock / SPEECH_RATE, seconds }].slice(-SLEEPS_SHOWN);
    return seconds;
  }

  /** @param {boolean} taking whether sound is taken now @param {number} clock @returns {string[]} */
  describe(taking, clock) {
    const flat = this.#heardAt.map((at) => taking && clock - at > FLAT_SECONDS * SPEECH_RATE);
    const said = [flat[0] && words.session.flat, flat[1] && words.session.callFlat].filter((one) => typeof one === "string");
    const slept = this.#sleeps.map(({ at, seconds }) => words.session.slept(showClock(at), Math.round(seconds)));
    return [...said, ...slept];
  }

  /** @param {number} audioSeconds */
  #agree(audioSeconds) {
    this.#agreed = { audio: audioSeconds, day: Date.now(), page: performance.now() };
  }
}
