// @ts-check
/**
 * A session's sound on its way to the visit (docs/architecture.md, "A session's sound"): numbered frames and what is
 * said of them in, in one order, over a socket that may drop. What the visit has not acknowledged is held in memory
 * and sent again; what it has is forgotten. It knows no microphone, no page and no consent.
 */
import { HeldSound } from "./held-sound.js";
import { readWord, sayBegin, sayFinish, sayStrike } from "./session-words.js";
import { SPEECH_RATE } from "./sound-frame.js";

/** @typedef {import("./sound-frame.js").Channel} Channel */
/** @typedef {import("./held-sound.js").Span} Span */
/** @typedef {{numbers: number[], clock: number}} Begun each channel's next number, and the clock to go on from */
/**
 * What is told of it. `onChange`: more or less is held, or the line is up or down. `onStruck`: these samples are gone.
 * `onRefused`: the visit takes no more; with its sentence, or none where frames were lost there. `onForbidden`: not
 * permitted any more. `onFull`: as much is held as may be.
 *
 * @typedef {object} Listener
 * @property {() => void} onChange
 * @property {(span: Span) => void} onStruck
 * @property {(message: string) => void} onRefused
 * @property {() => void} onForbidden
 * @property {() => void} onFull
 */

const HELD_LIMIT_SECONDS = 600;
const FORBIDDEN = 4403;
const RETRY_MS = [250, 500, 1000, 2000, 4000, 8000];
const CONNECT_MS = 8000;
const BEGIN_MS = 2000; // so long the visit may take to say where it goes on
const SILENT_MS = 15_000; // a line that acknowledges nothing for so long is dead
const FINISHED_MS = 5000; // everything is there, and only the visit's goodbye is missing
const BUFFER_BYTES = 256 * 1024;
const BUFFER_MS = 50;

export class SessionLink {
  /** Whether the line is up, and the visit has said where it goes on. */
  online = false;

  #address;
  #channels;
  #listener;
  #makeSocket;
  #held;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Set<Channel>} channels of which the visit has said nothing yet on this line */
  #unsaid = new Set();
  #tries = 0;
  #began = false; // a frame may have been made
  #full = false;
  #over = false;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  /** @type {(begun: Begun | null) => void} */
  #resolveBegun = () => {};
  /** @type {(whole: boolean) => void} */
  #resolveFinished = () => {};

  /**
   * @param {string | URL} address
   * @param {readonly Channel[]} channels
   * @param {Listener} listener
   * @param {(address: string | URL) => WebSocket} [makeSocket]
   */
  constructor(address, channels, listener, makeSocket = (to) => new WebSocket(to)) {
    this.#address = address;
    this.#channels = channels;
    this.#listener = listener;
    this.#makeSocket = makeSocket;
    this.#held = new HeldSound(channels);
  }

  /** @returns {number} of sound that the visit does not have yet */
  get heldSeconds() {
    return this.#held.seconds;
  }

  /**
   * Connect, and learn where the visit goes on.
   *
   * @returns {Promise<Begun | null>} null where it is not reached, or takes nothing
   */
  open() {
    this.#connect();
    this.#after("open", CONNECT_MS, () => this.#close());
    return new Promise((resolve) => (this.#resolveBegun = resolve));
  }

  /** @param {ArrayBuffer} bytes the next frame of its channel; they are this object's from now on */
  push(bytes) {
    if (this.#over) return;
    this.#held.addFrame(bytes);
    this.#goOut();
    if (this.heldSeconds < HELD_LIMIT_SECONDS || this.#full) return;
    this.#full = true;
    this.#listener.onFull();
  }

  /** @param {object} word of session-words.js: a pause, a resume or a mark */
  tell(word) {
    if (this.#over) return;
    this.#held.addWord(word);
    this.#goOut();
  }

  /**
   * The last seconds shall be as if they had not been said; what of them is still here does not go out any more.
   *
   * @param {number} seconds @param {number} now sample on the session's clock
   * @returns {Span} what will be gone
   */
  strike(seconds, now) {
    const span = { from: Math.max(0, now - seconds * SPEECH_RATE), to: now };
    if (this.#over) return span;
    this.#held.silence(span);
    this.#held.addWord(sayStrike(seconds, now), { strike: span });
    this.#goOut();
    return span;
  }

  /**
   * No more comes; wait until the visit has everything, however long that takes.
   *
   * @returns {Promise<boolean>} false where it was given up
   */
  finish() {
    if (this.#over) return Promise.resolve(false);
    this.#held.addWord(sayFinish(this.#held.numbers), { last: true });
    const finished = new Promise((resolve) => (this.#resolveFinished = resolve));
    this.#goOut();
    return finished;
  }

  /** Send nothing more, and drop what is held. */
  abort() {
    this.#close();
  }

  /** The network is said to be back. */
  retry() {
    if (this.#socket === null && !this.#over) this.#connect();
  }

  #connect() {
    this.#stop("retry");
    const socket = this.#makeSocket(this.#address);
    const current = () => socket === this.#socket;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => current() && this.#begin(socket));
    socket.addEventListener("message", ({ data }) => current() && this.#hear(data));
    socket.addEventListener("close", ({ code }) => current() && this.#seeClosed(code));
    this.#after("silent", CONNECT_MS, () => this.#drop());
  }

  /** @param {WebSocket} socket */
  #begin(socket) {
    this.#unsaid = new Set(this.#channels);
    this.#held.rewind();
    this.#watch();
    socket.send(JSON.stringify(sayBegin(this.#channels)));
    this.#after("begin", BEGIN_MS, () => this.#goOn());
  }

  /** The visit has said where it goes on, or takes too long to say so: then all that is held goes out again. */
  #goOn() {
    this.#stop("begin");
    this.#stop("open");
    this.online = this.#began = true;
    this.#resolveBegun({ numbers: this.#held.numbers.map(([, next]) => next), clock: this.#held.clock });
    this.#goOut();
  }

  /** @param {unknown} data */
  #hear(data) {
    const said = readWord(data);
    this.#watch();
    if (said.refused) this.#refuse(said.refused.message ?? "");
    else if (said.struck) {
      const span = this.#held.settleStrike(said.struck.from);
      if (span !== null) this.#listener.onStruck(span);
    } else if (said.ack && this.#channels.includes(said.ack.channel)) this.#acknowledge(said.ack);
  }

  /** @param {{channel: Channel, number: number, start: number}} ack */
  #acknowledge({ channel, number, start }) {
    if (!this.#began) this.#held.adopt(channel, number, start);
    const before = this.heldSeconds;
    const strikes = this.#held.acknowledge(channel, number);
    if (strikes === null) return this.#refuse("");
    for (const span of strikes) this.#listener.onStruck(span);
    if (this.heldSeconds < before) this.#tries = 0; // it is not only there: it takes something
    if (this.heldSeconds < HELD_LIMIT_SECONDS / 2) this.#full = false;
    this.#unsaid.delete(channel);
    if (!this.online && this.#unsaid.size === 0) this.#goOn();
    else this.#goOut();
  }

  /** Send what has not gone out on this line, as far as the browser takes it. */
  #goOut() {
    const socket = this.#socket;
    if (socket !== null && this.online) {
      if (!this.#held.awaiting && this.#held.waits) this.#watch();
      while (this.#held.waits && socket.bufferedAmount < BUFFER_BYTES) {
        socket.send(/** @type {string | ArrayBuffer} */ (this.#held.take()));
      }
      if (this.#held.waits) this.#after("buffer", BUFFER_MS, () => this.#goOut());
      if (this.#held.settled) this.#after("finished", FINISHED_MS, () => this.#close(true));
    }
    this.#listener.onChange();
  }

  /** From now on the visit has a while to say something, if it owes an answer. */
  #watch() {
    this.#after("silent", SILENT_MS, () => {
      if (this.#held.awaiting || !this.online) this.#drop();
    });
  }

  /** @param {number} code */
  #seeClosed(code) {
    if (code === FORBIDDEN) {
      this.#close();
      this.#listener.onForbidden();
    } else if (code === 1000 && this.online && this.#held.settled) this.#close(true);
    else this.#drop();
  }

  /** @param {string} message */
  #refuse(message) {
    this.#close();
    this.#listener.onRefused(message);
  }

  /** The line is down: try again, ever more slowly. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.online = false;
    socket?.close();
    for (const name of ["silent", "begin", "buffer", "finished"]) this.#stop(name);
    this.#after("retry", RETRY_MS[this.#tries] ?? 0, () => this.#connect());
    this.#tries = Math.min(this.#tries + 1, RETRY_MS.length - 1);
    this.#listener.onChange();
  }

  /** @param {boolean} [whole] whether the visit has everything */
  #close(whole = false) {
    const socket = this.#socket;
    this.#over = true;
    this.#socket = null;
    this.online = false;
    for (const name of [...this.#timers.keys()]) this.#stop(name);
    this.#held.clear();
    socket?.close(1000);
    this.#resolveBegun(null);
    this.#resolveFinished(whole);
  }

  /** @param {string} name @param {number} wait ms @param {() => void} act */
  #after(name, wait, act) {
    this.#stop(name);
    this.#timers.set(name, setTimeout(act, wait));
  }

  /** @param {string} name */
  #stop(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
