// @ts-check
/**
 * On the audio thread: one or two microphones in; levels and, once it is told to begin, numbered frames out. A frame
 * leaves here in the bytes in which it is sent. Nothing is kept after a message.
 *
 * In: `{begin: {numbers, clock}}`, `{flush: true}` (what was taken so far), `{pause: true}`, `{go: true}`,
 * `{skip: samples}`, `{close: true}`. Out: `{frame}`, `{peaks, clock}` ten times a second, and `{done: clock}` as the
 * answer to flush, pause and close.
 */
import { FrameMaker } from "./frame-maker.js";

const BLOCKS_A_LEVEL = Math.max(1, Math.round(sampleRate / 10 / 128));

class SessionTap extends AudioWorkletProcessor {
  #channels;
  #maker;
  #taking = false;
  #open = true;
  #blocks = 0;

  /** @param {{processorOptions: {channels: number}}} options */
  constructor({ processorOptions }) {
    super();
    this.#channels = processorOptions.channels;
    this.#maker = this.#make({ numbers: Array(this.#channels).fill(0), clock: 0 });
    this.port.onmessage = ({ data }) => this.#obey(data);
  }

  /** @param {{numbers: number[], clock: number}} begun */
  #make(begun) {
    return new FrameMaker(sampleRate, begun);
  }

  /** @param {Record<string, any>} told */
  #obey(told) {
    if (told.begin) {
      this.#maker = this.#make(told.begin);
      this.#taking = true;
    }
    if (told.skip && this.#taking) this.#send(this.#maker.skip(told.skip));
    if (told.go) this.#taking = true;
    if (told.flush || told.pause || told.close) {
      if (this.#taking) this.#send(this.#maker.flush());
      this.#taking = this.#taking && Boolean(told.flush);
      this.#open = !told.close;
      this.port.postMessage({ done: this.#maker.clock });
    }
  }

  /**
   * @param {Float32Array[][]} inputs
   * @returns {boolean}
   */
  process(inputs) {
    if (!this.#open) return false;
    const blocks = inputs.map((input) => input[0] ?? null);
    const length = blocks.find((block) => block !== null)?.length ?? 128;
    if (this.#taking) this.#send(this.#maker.push(blocks, length));
    this.#blocks += 1;
    if (this.#blocks % BLOCKS_A_LEVEL === 0) this.port.postMessage({ peaks: this.#measure(blocks), clock: this.#maker.clock });
    return true;
  }

  /** @param {(Float32Array | null)[]} blocks @returns {number[]} */
  #measure(blocks) {
    if (this.#taking) return this.#maker.takePeaks();
    return blocks.map((block) => (block ?? new Float32Array()).reduce((peak, value) => Math.max(peak, Math.abs(value)), 0));
  }

  /** @param {ArrayBuffer[]} frames */
  #send(frames) {
    for (const frame of frames) this.port.postMessage({ frame }, [frame]);
  }
}

registerProcessor("session-tap", SessionTap);
