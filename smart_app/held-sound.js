// @ts-check
/**
 * What of a session the visit does not have yet: frames and what was said of them, in the order in which they go out.
 * A frame goes when it is acknowledged, a word when a frame after it is: order is kept on the way, so it is there too.
 */
import { SPEECH_RATE, readHead, silence } from "./sound-frame.js";

/** @typedef {import("./sound-frame.js").Channel} Channel */
/** @typedef {{from: number, to: number}} Span samples on the session's clock */
/** @typedef {{bytes: ArrayBuffer, channel: Channel, number: number, samples: number}} HeldFrame */
/** @typedef {{text: string, strike?: Span, last?: boolean}} HeldWord */
/** @typedef {{next: number, acknowledged: number, samples: number}} Track */

export class HeldSound {
  /** The end of the last frame, on the session's clock. */
  clock = 0;
  /** @type {(HeldFrame | HeldWord)[]} */
  #entries = [];
  #out = 0; // so many of them went out on the line of now
  /** @type {Map<Channel, Track>} */
  #tracks;

  /** @param {readonly Channel[]} channels */
  constructor(channels) {
    this.#tracks = new Map(channels.map((channel) => [channel, { next: 0, acknowledged: 0, samples: 0 }]));
  }

  /** @returns {number} of sound, in the channel that has the most */
  get seconds() {
    return Math.max(...[...this.#tracks.values()].map(({ samples }) => samples)) / SPEECH_RATE;
  }

  /** @returns {[Channel, number][]} the number that the next frame of each channel has */
  get numbers() {
    return [...this.#tracks].map(([channel, { next }]) => [channel, next]);
  }

  /** @returns {boolean} whether a frame went out that is not acknowledged */
  get awaiting() {
    return this.#entries.some((entry, place) => place < this.#out && "bytes" in entry);
  }

  /** @returns {boolean} whether the last word went out, and every frame before it is there */
  get settled() {
    const last = this.#entries.at(-1);
    const allOut = this.#out === this.#entries.length;
    return allOut && last !== undefined && "text" in last && last.last === true && !this.awaiting;
  }

  /** @param {ArrayBuffer} bytes the next frame of its channel */
  addFrame(bytes) {
    const { channel, number, samples, start } = readHead(bytes);
    const track = this.#track(channel);
    track.next = number + 1;
    track.samples += samples;
    this.clock = start + samples;
    this.#entries.push({ bytes, channel, number, samples });
  }

  /** @param {object} word @param {{strike?: Span, last?: boolean}} [about] */
  addWord(word, about = {}) {
    this.#entries.push({ text: JSON.stringify(word), ...about });
  }

  /** @param {Span} span what of it is still here goes out as silence, if it goes out again at all */
  silence({ from, to }) {
    for (const entry of this.#entries) if ("bytes" in entry) silence(entry.bytes, from, to);
  }

  /** The line is new: everything goes out again. */
  rewind() {
    this.#out = 0;
  }

  /** @returns {string | ArrayBuffer | null} what goes out next */
  take() {
    const entry = this.#entries[this.#out];
    if (entry === undefined) return null;
    this.#out += 1;
    return "bytes" in entry ? entry.bytes : entry.text;
  }

  /** @returns {boolean} whether something has not gone out yet */
  get waits() {
    return this.#out < this.#entries.length;
  }

  /** An earlier page sent these; nothing was made here yet. @param {Channel} channel @param {number} number @param {number} clock */
  adopt(channel, number, clock) {
    Object.assign(this.#track(channel), { next: number, acknowledged: number });
    this.clock = Math.max(this.clock, clock);
  }

  /**
   * The frames of a channel before this number are there.
   *
   * @param {Channel} channel @param {number} number
   * @returns {Span[] | null} strikes that are there with them; null where that can't be: the other end began anew
   */
  acknowledge(channel, number) {
    const track = this.#track(channel);
    if (number < track.acknowledged || number > track.next) return null;
    track.acknowledged = number;
    /** @param {HeldFrame | HeldWord} entry */
    const isThere = (entry) => "bytes" in entry && entry.channel === channel && entry.number < number;
    const last = this.#entries.findLastIndex(isThere);
    /** @type {Span[]} */
    const strikes = [];
    let out = 0;
    const kept = this.#entries.filter((entry, place) => {
      const goes = place <= last && ("text" in entry || isThere(entry));
      if (!goes && place < this.#out) out += 1;
      if (goes && "bytes" in entry) track.samples -= entry.samples;
      if (goes && "text" in entry && entry.strike) strikes.push(entry.strike);
      return !goes;
    });
    this.#entries = kept;
    this.#out = out;
    return strikes;
  }

  /** @param {number} from @returns {Span | null} the strike that the visit has done; null where it is none of these */
  settleStrike(from) {
    const place = this.#entries.findIndex((entry) => "text" in entry && entry.strike?.from === from);
    const [entry] = place === -1 ? [] : this.#entries.splice(place, 1);
    if (place !== -1 && place < this.#out) this.#out -= 1;
    return entry !== undefined && "text" in entry ? (entry.strike ?? null) : null;
  }

  clear() {
    this.#entries = [];
    this.#out = 0;
    for (const track of this.#tracks.values()) track.samples = 0;
  }

  /** @param {Channel} channel */
  #track(channel) {
    return /** @type {Track} */ (this.#tracks.get(channel));
  }
}
