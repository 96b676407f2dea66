// @ts-check
/**
 * Consent before sound: the visit is asked whether the microphone may be open, and told when it no longer is.
 * Nothing here touches the microphone.
 */

/** @typedef {import("./visit.js").Visit} Visit */
/** @typedef {import("./view.js").View} View */

export class CapturePermit {
  #visit;
  #asked = 0;
  #stopping = 0;
  /** @type {Promise<unknown>} the last pause or stop on its way: a start must not overtake it */
  #telling = Promise.resolve();
  #stoppedAt = -1; // the version of the view at which a stop was last told
  #discarded = false; // whether the visit is still to be told that nothing of it is kept

  /** @param {Visit} visit */
  constructor(visit) {
    this.#visit = visit;
  }

  /**
   * Have consent read again, and wait for what comes of it.
   *
   * @returns {Promise<boolean>} whether the microphone may be open now; false too where it was paused or stopped meanwhile
   */
  async ask() {
    if (this.#discarded) await this.stop("discard"); // else what begins now would go on with what was discarded
    const asked = (this.#asked += 1);
    await this.#telling;
    if (this.#discarded) return false;
    if (asked !== this.#asked) return false;
    if (!(await this.#visit.act("api/capture", { do: "start" })) || asked !== this.#asked) return false;
    return new Promise((resolve) => {
      const look = () => {
        const view = this.#visit.view;
        const current = asked === this.#asked && view?.phase === "gathering";
        if (current && isDeciding(view)) return;
        this.#visit.removeEventListener("view", look);
        resolve(current && view.capture.state === "on");
      };
      this.#visit.addEventListener("view", look);
      look();
    });
  }

  /** The microphone takes nothing for now. */
  pause() {
    this.#asked += 1;
    this.#telling = this.#visit.act("api/capture", { do: "pause" }, { now: true });
  }

  /**
   * The microphone is closed.
   *
   * @param {"stop" | "discard"} [what] discard: nothing of what the visit has is kept
   * @param {boolean} [unasked] nobody pressed anything
   */
  async stop(what = "stop", unasked = false) {
    this.#asked += 1;
    this.#stopping += 1;
    this.#discarded ||= what === "discard";
    const telling = this.#visit.act("api/capture", { do: this.#discarded ? "discard" : what }, { now: true, unasked });
    this.#telling = telling;
    if (await telling) this.#discarded = false;
    this.#stoppedAt = this.#visit.view?.version ?? -1;
    this.#stopping -= 1;
  }

  /**
   * Tell the visit, once for each of its views, that nothing is recorded here although it still counts on it: the
   * page was opened anew, or an earlier stop did not arrive.
   *
   * @param {View} view
   */
  correct({ capture, version }) {
    const believed = capture.state === "on" || capture.state === "paused";
    if (believed && this.#stopping === 0 && version !== this.#stoppedAt) void this.stop("stop", true);
  }
}

/** @param {View} view */
function isDeciding({ capture, working }) {
  return capture.state === "asking" || (capture.state !== "on" && working?.what === "consent");
}
