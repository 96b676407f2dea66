// @ts-check
/**
 * The visit as the page knows it: the newest view, what is in the way, and the acts that change it.
 *
 * Views come from every answer and, after each server-sent `changed`, from one read at a time. Posts go out one
 * after another, in the order asked; stopping alone does not wait for them.
 */
import { Trouble, post, postDictation, readView, visitUrl } from "./api.js";
import { words } from "./words.js";

/** @typedef {import("./view.js").View} View */

const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
const RECEIPT_POLL_MS = 1000;
const RECEIPT_POLLS = 60;
const SIGNATURE_POLL_MS = 2000;
const SIGNATURE_SLOW_MS = 30000;
const SIGNATURE_QUICK_POLLS = 150;

/** Fires `view` after each new view and `trouble` when what is in the way changes. */
export class Visit extends EventTarget {
  /** @type {View | null} */
  view = null;
  /** @type {Trouble | null} */
  trouble = null;
  /** Posts that are on their way. */
  pending = 0;

  #reading = false;
  #readAgain = false;
  #failedReads = 0;
  #said = false; // whether what is in the way is the page's own word
  #polls = 0;
  /** @type {EventSource | null} */
  #events = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Promise<unknown>} */
  #queue = Promise.resolve();

  /** Read the view and follow its changes. */
  start() {
    void this.read();
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") void this.read();
    });
    addEventListener("online", () => void this.read());
  }

  /** Read the view; calls during a read are answered by one more read after it, even if it fails. */
  async read() {
    if (this.#reading) {
      this.#readAgain = true;
      return;
    }
    this.#reading = true;
    try {
      do {
        this.#readAgain = false;
        await this.#readOnce();
      } while (this.#readAgain);
    } finally {
      this.#reading = false;
    }
    this.#follow();
  }

  async #readOnce() {
    try {
      const view = await readView();
      this.#failedReads = 0;
      this.#comeBack();
      this.#take(view);
    } catch (error) {
      this.#meet(error);
    }
  }

  /**
   * Ask the visit for something.
   *
   * @param {string} path
   * @param {object} body
   * @param {{now?: boolean, unasked?: boolean, onTrouble?: (message: string) => void}} [options] now: do not wait for
   *   earlier posts; unasked: nobody pressed anything, so what the page has said stays; onTrouble: says why it was not
   *   done where the clinician is, so that the page need not say a refusal as well
   * @returns {Promise<boolean>} whether it was done
   */
  act(path, body, options = {}) {
    return this.#send(() => post(path, body), options);
  }

  /**
   * @param {Blob} sound
   * @returns {Promise<boolean>}
   */
  sendDictation(sound) {
    return this.#send(() => postDictation(sound), {});
  }

  /** The visit answers again: what was in the way is gone, but a step that did not arrive is not taken back. */
  #comeBack() {
    if (this.trouble === null || this.trouble.kind === "refused") return;
    const lostStep = this.trouble.message === words.trouble.notSent;
    this.#setTrouble(lostStep ? new Trouble("refused", words.trouble.notDone) : null);
  }

  /** Something the page itself has to say; it stays until she does something else. @param {string} message */
  say(message) {
    this.#setTrouble(new Trouble("refused", message));
    this.#said = true;
  }

  /** The clinician has read it. */
  dismiss() {
    this.#setTrouble(null);
  }

  /**
   * @param {() => Promise<View>} request
   * @param {{now?: boolean, unasked?: boolean, onTrouble?: (message: string) => void}} options
   * @returns {Promise<boolean>}
   */
  async #send(request, { now = false, unasked = false, onTrouble }) {
    const before = this.#queue;
    const run = (async () => {
      if (!now) await before;
      this.pending += 1;
      try {
        const view = await request();
        if (!(unasked && this.#said)) this.#setTrouble(null);
        this.#take(view);
        if (view.phase === "ended") this.#follow();
        return true;
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        onTrouble?.(error.message);
        if (onTrouble === undefined || error.kind !== "refused") this.#meet(error);
        void this.read();
        return false;
      } finally {
        this.pending -= 1;
      }
    })();
    if (!now) this.#queue = run;
    return run;
  }

  /** @param {View} view */
  #take(view) {
    const old = this.view;
    if (old !== null && (old.phase === "ended" ? view.phase !== "ended" : view.version < old.version && view.phase !== "ended"))
      return;
    this.view = view;
    this.dispatchEvent(new Event("view"));
  }

  /** @param {unknown} error */
  #meet(error) {
    if (!(error instanceof Trouble)) throw error;
    if (error.kind !== "refused") this.#failedReads += 1;
    // A visit that has ended here stays ended: a gateway that no longer knows it adds nothing.
    if (this.view?.phase === "ended" && error.kind !== "refused") return;
    // What a post was refused for, or the page has said, is not hidden by the failing reads that follow it.
    if ((this.#said || this.trouble?.message === words.trouble.notSent) && error.kind === "offline") return;
    this.#setTrouble(error);
  }

  /** @param {Trouble | null} trouble */
  #setTrouble(trouble) {
    if (trouble?.message === this.trouble?.message && trouble?.kind === this.trouble?.kind) return;
    this.trouble = trouble;
    this.#said = false;
    this.dispatchEvent(new Event("trouble"));
  }

  /** Choose how the next change is learnt of: events while the visit lives, slow reads after its end. */
  #follow() {
    clearTimeout(this.#timer);
    const lost = this.trouble?.kind === "forbidden" || this.trouble?.kind === "missing";
    if (this.view?.phase === "ended" || lost) {
      this.#events?.close();
      this.#events = null;
      if (!lost) this.#watchEnd();
      return;
    }
    if (this.#failedReads > 0) {
      const wait = RETRY_MS[Math.min(this.#failedReads, RETRY_MS.length) - 1];
      this.#timer = setTimeout(() => void this.read(), wait);
      return;
    }
    if (this.#events === null || this.#events.readyState === EventSource.CLOSED) this.#listen();
  }

  #listen() {
    this.#events?.close();
    const events = new EventSource(visitUrl("api/events"));
    this.#events = events;
    events.addEventListener("open", () => void this.read()); // a change may have passed before the line was up
    events.addEventListener("changed", () => void this.read());
    events.addEventListener("error", () => {
      if (this.#events !== events) return;
      events.close(); // the browser's own reconnecting does not tell a visit that ended from one that is away
      this.#events = null;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.read(), RETRY_MS[0]);
    });
  }

  /** After the end: the receipt comes when the process is gone, the signature when she has signed. */
  #watchEnd() {
    const { receipt, signature, outcome } = /** @type {View} */ (this.view);
    const filed = (outcome ?? receipt?.outcome) === "filed";
    if (receipt !== null && (!filed || signature?.status === "signed")) return;
    if (receipt === null && !filed && this.#polls > RECEIPT_POLLS) return;
    this.#polls += 1;
    const slow = this.#polls > SIGNATURE_QUICK_POLLS ? SIGNATURE_SLOW_MS : SIGNATURE_POLL_MS;
    const wait = receipt === null && this.#polls < RECEIPT_POLLS ? RECEIPT_POLL_MS : slow;
    this.#timer = setTimeout(() => void this.read(), wait);
  }
}
