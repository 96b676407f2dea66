// @ts-check
/** The lines that a person must decide before the note can be filed, each with what it needs; a press goes to it. */
import { arrange, make, makeButton, makeId, setText } from "../element.js";
import { words } from "../words.js";
import { describeLook, readAlso, readText } from "./evidence-line.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Segment} Segment */

export class MarkList extends HTMLElement {
  #jump;
  #title = make("h3", { id: makeId() });
  #intro = make("p", { class: "quiet" });
  #list = make("ol", { class: "marks" });

  /** @param {(line: number, from: HTMLElement) => void} jump */
  constructor(jump) {
    super();
    this.#jump = jump;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", this.#title.id);
    this.append(this.#title, this.#intro, this.#list);
  }

  /** @param {View} view @param {boolean} deciding */
  show({ marks, segments }, deciding) {
    const lines = segments.filter(({ number }) => marks.includes(number));
    this.hidden = !deciding || lines.length === 0;
    setText(this.#intro, lines.some(({ sound }) => sound) ? words.listening.markedWords : words.listening.markedGone);
    setText(this.#title, words.listening.title(lines.length));
    arrange(this.#list, lines, (line) => JSON.stringify([line.number, line.text, line.look, line.sound]), (line) => this.#create(line));
  }

  /** @param {Segment} segment */
  #create(segment) {
    const { number } = segment;
    const go = makeButton(`${words.lines.line} ${number}`, () => this.#jump(number, go), { "aria-label": words.listening.go(number) });
    const text = [readText(segment), readAlso(segment)].filter(Boolean).join(" ");
    return make("li", {}, go, make("strong", { class: "look" }, describeLook(segment)), make("span", { class: "mark-text", dir: "auto" }, text));
  }
}

customElements.define("mark-list", MarkList);
