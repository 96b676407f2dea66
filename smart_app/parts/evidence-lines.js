// @ts-check
/**
 * The numbered lines of the material. The review highlights those that carry the statement at hand, in colour and in
 * words; a line can be given the focus, heard and decided, and Esc asks to go back to where one came from.
 */
import { arrange, make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { LineSound } from "../line-sound.js";
import { showTime } from "../time.js";
import { words } from "../words.js";
import { controlsOf, createLine, updateLine } from "./evidence-line.js";

/** @typedef {import("../view.js").Segment} Segment */
/** @typedef {import("../view.js").View} View */
/** @typedef {import("../visit.js").Visit} Visit */
/** @typedef {import("./line-controls.js").LineControls} LineControls */

const END_PIXELS = 24;
const DECIDING_PHASES = ["gathering", "reviewing"];

export class EvidenceLines extends HTMLElement {
  #title;
  #none = make("p", { class: "quiet" });
  #until = make("p", { class: "quiet" });
  #marked = make("strong", { class: "look" });
  #markedWords = make("p", { class: "quiet" });
  #toLook = make("div", { class: "to-look-bar" }, this.#marked, makeButton(words.listening.next, () => this.goToNextLook(), { class: "quiet-button" }));
  /** @type {number[]} lines that want a person: those that must be decided, once it is clear which */
  #wanted = [];
  /** @type {HTMLElement | null} the line that had the focus last */
  #last = null;
  #list = make("ol", { class: "lines" });
  /** @type {Set<number>} */
  #lit = new Set();
  #mark = words.lines.carries;
  #follows;
  #around;
  #hushed = false;

  /**
   * @param {Visit} visit
   * @param {{title: string, none: string, follows?: boolean}} how follows: whether the newest line stays in sight, for
   *   one who looks at the end
   */
  constructor(visit, { title, none, follows = false }) {
    super();
    this.#follows = follows;
    this.#around = { visit, sound: new LineSound(), mayPlay: () => !this.#hushed };
    this.#title = make("h3", { id: makeId() }, title);
    setText(this.#none, none);
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", this.#title.id);
    this.append(this.#title, this.#none, this.#until, this.#markedWords, this.#toLook, this.#list);
    this.#list.addEventListener("keydown", (event) => this.#move(event));
    this.#list.addEventListener("focusin", (event) => (this.#last = lineAt(event.target)));
    for (const kind of ["focusin", "pointerover"]) this.#list.addEventListener(kind, (event) => this.#controlsAt(event.target));
  }

  disconnectedCallback() {
    this.#around.sound.stop();
  }

  /** @param {boolean} hushed whether a microphone would hear what is played */
  set hushed(hushed) {
    this.#hushed = hushed;
    if (hushed) this.#around.sound.stop();
  }

  /** @returns {string[]} the lines for which words are typed and not kept yet */
  get unsaved() {
    const controls = /** @type {Iterable<LineControls>} */ (this.#list.querySelectorAll("line-controls"));
    return [...controls].map(({ unsaved }) => unsaved).filter(Boolean);
  }

  /** @param {View} view */
  show({ phase, way, segments, marks, sound_until: until }) {
    const deciding = DECIDING_PHASES.includes(phase) && way !== "write"; // nothing rests on them there
    const looks = segments.filter(({ look }) => look);
    setText(this.#until, until === null ? "" : words.listening.until(showTime(until), looks.length > 0));
    const gathering = phase === "gathering";
    this.#wanted = gathering ? looks.map(({ number }) => number) : marks;
    const count = this.#wanted.length;
    setText(this.#marked, gathering ? words.listening.marked(count) : words.listening.toDecide(count));
    setText(this.#markedWords, looks.some(({ sound }) => sound) ? words.listening.markedWords : words.listening.markedGone);
    const wants = deciding && count > 0;
    setAttributes(this.#none, { hidden: segments.length > 0 });
    setAttributes(this.#until, { hidden: until === null });
    setAttributes(this.#toLook, { hidden: !wants });
    setAttributes(this.#markedWords, { hidden: !wants || !gathering }); // the review says it where it lists them
    this.#showLines(segments, deciding);
  }

  /** @param {Segment[]} segments @param {boolean} deciding */
  #showLines(segments, deciding) {
    const atEnd = this.#follows && this.scrollTop + this.clientHeight >= this.scrollHeight - END_PIXELS;
    const held = this.#list.contains(document.activeElement);
    arrange(this.#list, segments, nameLine(), createLine, (row, segment) => {
      updateLine(row, segment, deciding);
      const controls = segment.look ? controlsOf(row, this.#around) : row.querySelector(":scope > line-controls");
      /** @type {LineControls | null} */ (controls)?.show(segment, deciding);
    });
    this.highlight([...this.#lit], this.#mark);
    if (atEnd && !held && this.scrollHeight > this.clientHeight) this.scrollTop = this.scrollHeight;
  }

  /**
   * @param {readonly number[]} numbers
   * @param {string} mark what these lines do, in words
   * @param {boolean} [reveal] bring the first of them into sight, inside this box only
   */
  highlight(numbers, mark, reveal = false) {
    this.#lit = new Set(numbers);
    this.#mark = mark;
    const stop = String(numbers.length > 0 ? Math.min(...numbers) : 1); // the one line that Tab reaches
    for (const child of this.#list.children) {
      const line = /** @type {HTMLElement} */ (child);
      const lit = this.#lit.has(Number(line.dataset.number));
      line.classList.toggle("lit", lit);
      setAttributes(line, { tabindex: line.dataset.number === stop ? 0 : -1 });
      setText(/** @type {Element} */ (line.children[2]), lit ? mark : "");
    }
    const first = numbers.length > 0 ? this.findLine(Math.min(...numbers)) : null;
    if (reveal && first !== null && this.scrollHeight > this.clientHeight) {
      const above = this.scrollTop + first.getBoundingClientRect().top - this.getBoundingClientRect().top - this.clientHeight / 4;
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.scrollTo({ top: above, behavior: calm ? "instant" : "smooth" });
    }
  }

  /** @param {number} number @returns {HTMLElement | null} it may be given the focus */
  findLine(number) {
    return /** @type {HTMLElement | null} */ (this.#list.querySelector(`:scope > [data-number="${number}"]`));
  }

  /** Give the focus to the next line that wants a person, after the one at hand; behind the last, to the first. */
  goToNextLook() {
    const rows = this.#wanted.map((number) => this.findLine(number)).filter((row) => row !== null);
    const here = this.#last?.isConnected ? this.#last : null;
    const after = rows.find((row) => here !== null && (here.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0);
    (after ?? rows[0])?.focus();
  }

  /**
   * A single key, pressed on a line or inside it.
   *
   * @param {string} key
   * @param {EventTarget | null} target
   * @returns {boolean} whether it meant something here
   */
  takeKey(key, target) {
    const controls = key === "l" || key === "c" ? this.#controlsAt(target) : null;
    if (key === "l") controls?.play();
    else controls?.write();
    return controls !== null;
  }

  /** @param {EventTarget | null} target @returns {LineControls | null} of the line that it is in */
  #controlsAt(target) {
    const row = lineAt(target);
    return row !== null && this.#list.contains(row) ? controlsOf(row, this.#around) : null;
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const row = lineAt(event.target);
    if (row === null) return;
    const onRow = event.target === row;
    const to = onRow ? { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key] : undefined;
    if (to instanceof HTMLElement) to.focus();
    else if (event.key === "Escape" && onRow) this.dispatchEvent(new CustomEvent("leave-lines", { bubbles: true }));
    else if (event.key === "Escape") row.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/**
 * What a line is called while it is on the page. Its number will not do: it moves when lines come before it, and what
 * is being typed for a line has to stay with that line.
 *
 * @returns {(segment: Segment) => string} asked once for each line, in order
 */
function nameLine() {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return ({ source, channel, start_seconds: start }) => {
    const name = `${source} ${channel ?? ""} ${start ?? ""}`;
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return `${name} ${count}`;
  };
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function lineAt(target) {
  return target instanceof Element ? target.closest(".line") : null;
}

/**
 * The numbers of a statement's lines, as buttons that jump to them.
 *
 * @param {readonly number[]} numbers
 * @param {string} label
 * @param {(number: number) => void} jump
 */
export function makeLineButtons(numbers, label, jump) {
  const buttons = numbers.map((number) =>
    makeButton(String(number), () => jump(number), { class: "line-button", "aria-label": `${words.lines.line} ${number}` }),
  );
  return make("span", { class: "line-buttons" }, make("span", { class: "quiet" }, label), ...buttons);
}

customElements.define("evidence-lines", EvidenceLines);
