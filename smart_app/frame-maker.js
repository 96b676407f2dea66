// @ts-check
/**
 * Blocks of one or two microphones in, numbered frames at 16 kHz out. All channels advance together on one clock,
 * which counts samples and stands still while nothing is taken. It runs on the audio thread.
 */
import { Resampler } from "./resample.js";
import { HEADER_BYTES, SPEECH_RATE, writeHead } from "./sound-frame.js";

const FRAME_SAMPLES = SPEECH_RATE / 4;
const LONGEST_BLOCK = 4096;

export class FrameMaker {
  /** The next sample on the session's clock. */
  clock;
  #numbers;
  #resamplers;
  /** @type {DataView[]} the frame of each channel that is being filled */
  #frames = [];
  #filled = 0;
  #peaks;
  #out;

  /**
   * @param {number} rate Hz of what is pushed
   * @param {{numbers: readonly number[], clock: number}} begun the first frame's number in each channel, and its start
   */
  constructor(rate, { numbers, clock }) {
    this.clock = clock;
    this.#numbers = [...numbers];
    this.#resamplers = numbers.map(() => new Resampler(rate, SPEECH_RATE));
    this.#peaks = numbers.map(() => 0);
    this.#out = numbers.map(() => new Float32Array(/** @type {Resampler} */ (this.#resamplers[0]).capacity(LONGEST_BLOCK)));
    this.#openFrames();
  }

  /**
   * @param {readonly (Float32Array | null)[]} blocks one for each channel; null where it gives nothing, which is silence
   * @param {number} length of each block
   * @returns {ArrayBuffer[]} frames that are full
   */
  push(blocks, length) {
    let count = 0;
    for (const [channel, resampler] of this.#resamplers.entries()) {
      count = resampler.push(blocks[channel] ?? null, length, /** @type {Float32Array} */ (this.#out[channel]));
    }
    return this.#take(count);
  }

  /** What was pushed and is in no frame yet; all that was taken is out afterwards. @returns {ArrayBuffer[]} */
  flush() {
    let count = 0;
    for (const [channel, resampler] of this.#resamplers.entries()) {
      count = resampler.flush(/** @type {Float32Array} */ (this.#out[channel]));
    }
    return [...this.#take(count), ...this.#closeFrames()];
  }

  /** Time went by in which nothing was heard: the machine slept. @param {number} samples @returns {ArrayBuffer[]} */
  skip(samples) {
    const frames = this.flush();
    this.clock += samples;
    return frames;
  }

  /** @returns {number[]} the loudest since the last call in each channel, in [0, 1] */
  takePeaks() {
    const peaks = [...this.#peaks];
    this.#peaks.fill(0);
    return peaks;
  }

  /** @param {number} count of samples of each channel in `out` @returns {ArrayBuffer[]} */
  #take(count) {
    /** @type {ArrayBuffer[]} */
    const full = [];
    for (let index = 0; index < count; index += 1) {
      for (const [channel, samples] of this.#out.entries()) {
        const clipped = Math.max(-1, Math.min(1, /** @type {number} */ (samples[index])));
        this.#peaks[channel] = Math.max(/** @type {number} */ (this.#peaks[channel]), Math.abs(clipped));
        this.#frames[channel]?.setInt16(HEADER_BYTES + 2 * this.#filled, Math.round(clipped * 32767), true);
      }
      this.#filled += 1;
      this.clock += 1;
      if (this.#filled === FRAME_SAMPLES) full.push(...this.#closeFrames());
    }
    return full;
  }

  #openFrames() {
    this.#frames = this.#numbers.map(() => new DataView(new ArrayBuffer(HEADER_BYTES + 2 * FRAME_SAMPLES)));
    this.#filled = 0;
  }

  /** @returns {ArrayBuffer[]} */
  #closeFrames() {
    if (this.#filled === 0) return [];
    const bytes = HEADER_BYTES + 2 * this.#filled;
    const frames = this.#frames.map((view, channel) => {
      writeHead(view, channel, /** @type {number} */ (this.#numbers[channel]), this.clock - this.#filled);
      const whole = /** @type {ArrayBuffer} */ (view.buffer);
      return bytes === whole.byteLength ? whole : whole.slice(0, bytes);
    });
    this.#numbers = this.#numbers.map((number) => number + 1);
    this.#openFrames();
    return frames;
  }
}
