// @ts-check
/**
 * The sound of one line at a time: fetched into memory, played from there, and let go once it was played or stopped.
 * It has no address that a browser could keep, and touches no document.
 */
import { Trouble, readSound } from "./api.js";
import { words } from "./words.js";

/** @typedef {"silent" | "fetching" | "playing"} Playing */
/** @typedef {{tell: (playing: Playing) => void, context: AudioContext}} Turn */

export class LineSound {
  /** @type {Turn | null} */
  #turn = null;

  /**
   * Play one line; whatever plays is stopped first.
   *
   * @param {number} line
   * @param {(playing: Playing) => void} tell hears how it goes, until it is silent again
   * @returns {Promise<string>} why it can't be heard, in a sentence; empty where it is, or was stopped
   */
  async play(line, tell) {
    this.stop();
    const turn = { tell, context: new AudioContext() }; // made in the press itself, or the browser keeps it mute
    this.#turn = turn;
    tell("fetching");
    try {
      const sound = await turn.context.decodeAudioData(await readSound(line));
      if (this.#turn !== turn) return "";
      const source = new AudioBufferSourceNode(turn.context, { buffer: sound });
      source.connect(turn.context.destination);
      source.addEventListener("ended", () => this.#end(turn));
      source.start();
      tell("playing");
      return "";
    } catch (error) {
      if (this.#turn !== turn) return "";
      this.#end(turn);
      return error instanceof Trouble ? error.message : words.listening.unplayable;
    }
  }

  stop() {
    if (this.#turn !== null) this.#end(this.#turn);
  }

  /** @param {Turn} turn */
  #end(turn) {
    if (this.#turn !== turn) return;
    this.#turn = null;
    void turn.context.close();
    turn.tell("silent");
  }
}
