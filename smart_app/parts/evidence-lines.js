// @ts-check
/**
 * The numbered lines of the material. The review highlights those that carry the statement at hand, in colour and in
 * words; a line can be given the focus, and Esc asks to go back to the statement.
 */
import { arrange, make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { showClock } from "../time.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").Segment} Segment */

export class EvidenceLines extends HTMLElement {
  #title;
  #none = make("p", { class: "quiet" });
  #list = make("ol", { class: "lines" });
  /** @type {Set<number>} */
  #lit = new Set();
  #mark = words.lines.carries;

  /** @param {{title: string, none: string}} wording */
  constructor({ title, none }) {
    super();
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
    arrange(this.#list, segments, (segment) => segment.number, createLine, updateLine);
    this.highlight([...this.#lit], this.#mark);
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
      setAttributes(line, { class: lit ? "line lit" : "line", tabindex: line.dataset.key === stop ? 0 : -1 });
      setText(/** @type {Element} */ (line.querySelector(".line-mark")), lit ? mark : "");
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
function createLine({ number }) {
  return make(
    "li",
    { class: "line", tabindex: -1 },
    make("span", { class: "line-number" }, make("span", { class: "visually-hidden" }, `${words.lines.line} `), String(number)),
    make("div", { class: "line-body" }, make("p", { class: "line-text", dir: "auto" }), make("p", { class: "line-about" })),
    make("span", { class: "line-mark" }),
  );
}

/** @param {HTMLElement} row @param {Segment} segment */
function updateLine(row, segment) {
  setText(/** @type {Element} */ (row.querySelector(".line-text")), segment.text);
  const about = /** @type {Element} */ (row.querySelector(".line-about"));
  const said = describeLine(segment);
  const now = `${said} ${segment.unclear}`;
  if (row.dataset.about === now) return;
  row.dataset.about = now;
  about.replaceChildren(said, ...(segment.unclear ? [" ", make("strong", { class: "unclear" }, words.lines.unclear)] : []));
}

/** @param {Segment} segment @returns {string} where it comes from, who said it where that is known, and when */
function describeLine({ source, speaker, start_seconds: start }) {
  const parts = [words.lines.sources[source] ?? source, words.lines.speakers[speaker]];
  if (start !== null && start !== undefined) parts.push(showClock(start));
  return parts.filter(Boolean).join(" · ");
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
