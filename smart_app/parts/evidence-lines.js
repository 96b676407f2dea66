// @ts-check
/**
 * The numbered lines of the material. The review highlights those that carry the statement at hand, in colour and in
 * words; a line can be given the focus, and Esc asks to go back to the statement.
 */
import { arrange, make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { showClock } from "../time.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").Segment} Segment */

const END_PIXELS = 24;
/** What each line shows; one that is as it was is not touched: there may be a thousand. @type {WeakMap<Element, string>} */
const shown = new WeakMap();

export class EvidenceLines extends HTMLElement {
  #title;
  #none = make("p", { class: "quiet" });
  #list = make("ol", { class: "lines" });
  /** @type {Set<number>} */
  #lit = new Set();
  #mark = words.lines.carries;
  #follows;

  /** @param {{title: string, none: string, follows?: boolean}} how follows: whether the newest line stays in sight, for one who looks at the end */
  constructor({ title, none, follows = false }) {
    super();
    this.#follows = follows;
    this.#title = make("h3", { id: makeId() }, title);
    setText(this.#none, none);
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", this.#title.id);
    this.append(this.#title, this.#none, this.#list);
    this.#list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** @param {Segment[]} segments */
  showSegments(segments) {
    this.#none.hidden = segments.length > 0;
    const atEnd = this.#follows && this.scrollTop + this.clientHeight >= this.scrollHeight - END_PIXELS;
    const held = this.#list.contains(document.activeElement);
    arrange(this.#list, segments, (segment) => segment.number, createLine, updateLine);
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
      const lit = this.#lit.has(Number(line.dataset.key));
      line.classList.toggle("lit", lit);
      setAttributes(line, { tabindex: line.dataset.key === stop ? 0 : -1 });
      setText(/** @type {Element} */ (line.lastElementChild), lit ? mark : "");
    }
    const first = numbers.length > 0 ? this.#find(Math.min(...numbers)) : null;
    if (reveal && first !== null && this.scrollHeight > this.clientHeight) {
      const above = this.scrollTop + first.getBoundingClientRect().top - this.getBoundingClientRect().top - this.clientHeight / 4;
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.scrollTo({ top: above, behavior: calm ? "instant" : "smooth" });
    }
  }

  /** @param {number} number @returns {boolean} whether there is such a line */
  focusLine(number) {
    const line = this.#find(number);
    line?.focus();
    return line !== null;
  }

  /** @param {number} number */
  #find(number) {
    return /** @type {HTMLElement | null} */ (this.#list.querySelector(`:scope > [data-key="${number}"]`));
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    if (!(event.target instanceof HTMLElement) || event.target.parentElement !== this.#list) return;
    const to = { ArrowDown: event.target.nextElementSibling, ArrowUp: event.target.previousElementSibling }[event.key];
    if (to instanceof HTMLElement) to.focus();
    else if (event.key === "Escape") this.dispatchEvent(new CustomEvent("leave-lines", { bubbles: true }));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {Segment} segment */
function createLine({ number, source }) {
  return make(
    "li",
    { class: source === "silence" ? "line silence" : "line", tabindex: -1 },
    make("span", { class: "line-number" }, make("span", { class: "visually-hidden" }, `${words.lines.line} `), String(number)),
    make("div", { class: "line-body" }, make("p", { class: "line-text", dir: "auto" }), make("p", { class: "line-about" })),
    make("span", { class: "line-mark" }),
  );
}

/** @param {HTMLElement} row @param {Segment} segment */
function updateLine(row, segment) {
  const { text, unclear, heard_also: also } = segment;
  const said = describeLine(segment);
  const now = [text, said, unclear, also].join("\n");
  if (shown.get(row) === now) return;
  shown.set(row, now);
  const [line, about] = /** @type {Element} */ (row.querySelector(".line-body")).children;
  const doubts = [unclear && words.lines.unclear, also && words.lines.twoWays].filter((one) => typeof one === "string" && one !== "");
  line?.replaceChildren(readText(segment), ...(also ? [make("span", { class: "line-also" }, `${words.lines.also} ${also}`)] : []));
  about?.replaceChildren(said, ...doubts.flatMap((doubt) => [" ", make("strong", { class: "unclear" }, doubt)]));
}

/** @param {Segment} segment @returns {string} its words; for a mark, what it marks */
function readText({ source, text, start_seconds: start, end_seconds: end }) {
  if (source === "silence") return words.lines.silence(text || words.lines.seconds((end ?? 0) - (start ?? 0)));
  return text || words.lines.notUnderstood;
}

/** @param {Segment} segment @returns {string} where it comes from, who said it where that is known, and when */
function describeLine({ source, speaker, channel, start_seconds: start }) {
  const when = start !== null && start !== undefined ? showClock(start) : "";
  if (source === "silence") return when;
  const from = channel === "call" ? words.lines.call : (words.lines.sources[source] ?? source);
  return [from, words.lines.speakers[speaker], when].filter(Boolean).join(" · ");
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
