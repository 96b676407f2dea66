// @ts-check
/** Who speaks, marked by hand where one microphone hears everybody: two switches, or a key that is held. */
import { make, makeButton, makeId, setAttributes } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../session-capture.js").SessionCapture} SessionCapture */
/** @typedef {import("../session-capture.js").Marked} Marked */

/** @type {Record<string, Marked>} */
const KEYS = { p: "patient", i: "clinician" };

export class SpeakerMarks extends HTMLElement {
  #capture;
  #held = ""; // the key that is down
  #title = make("h4", { id: makeId() }, words.session.marks);
  #buttons;

  /** @param {SessionCapture} capture */
  constructor(capture) {
    super();
    this.#capture = capture;
    this.#buttons = Object.entries(KEYS).map(([key, speaker]) => ({
      speaker,
      button: makeButton(words.session.marked[speaker], () => this.#toggle(speaker), {
        "aria-pressed": "false",
        "aria-keyshortcuts": key.toUpperCase(),
      }),
    }));
  }

  connectedCallback() {
    document.addEventListener("keyup", this.#release);
    addEventListener("blur", this.#release);
    if (this.firstChild !== null) return;
    const row = make("div", { class: "row", role: "group", "aria-labelledby": this.#title.id }, ...this.#buttons.map(({ button }) => button));
    this.append(this.#title, row, make("p", { class: "quiet" }, words.session.marksHint));
  }

  disconnectedCallback() {
    document.removeEventListener("keyup", this.#release);
    removeEventListener("blur", this.#release);
  }

  show() {
    const { marked, mode, peaks } = this.#capture;
    this.hidden = peaks.length !== 1 || (mode !== "recording" && mode !== "paused" && mode !== "resuming");
    for (const { speaker, button } of this.#buttons) {
      setAttributes(button, { "aria-pressed": String(marked === speaker), "aria-disabled": mode === "recording" ? null : "true" });
    }
  }

  /** @param {string} key that went down @returns {boolean} whether it is one of these */
  takeKey(key) {
    const speaker = KEYS[key];
    if (speaker === undefined || this.hidden || this.#capture.mode !== "recording") return false;
    this.#held = key;
    this.#capture.mark(speaker);
    return true;
  }

  /** @param {Marked} speaker */
  #toggle(speaker) {
    this.#held = "";
    this.#capture.mark(this.#capture.marked === speaker ? null : speaker);
  }

  /** @param {Event} event a key that went up, or the window that was left */
  #release = (event) => {
    if (this.#held === "" || (event instanceof KeyboardEvent && event.key.toLowerCase() !== this.#held)) return;
    this.#held = "";
    this.#capture.mark(null);
  };
}

customElements.define("speaker-marks", SpeakerMarks);
