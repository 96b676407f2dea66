// @ts-check
/** One numbered line: its words, where they come from, what it still needs from a person, and its controls. */
import { make, makePicture, setText } from "../element.js";
import { showClock } from "../time.js";
import { NOT_HEARD } from "../view.js";
import { words } from "../words.js";
import { LineControls, SPOKEN } from "./line-controls.js";

/** @typedef {import("../view.js").Segment} Segment */
/** @typedef {ConstructorParameters<typeof LineControls>[1]} Around */

/** What each line shows; one that is as it was is not touched: there may be a thousand. @type {WeakMap<Element, string>} */
const shown = new WeakMap();
/** @type {WeakMap<Element, {segment: Segment, deciding: boolean}>} */
const states = new WeakMap();

/** @param {Segment} segment */
export function createLine({ source }) {
  return make(
    "li",
    { class: source === "silence" ? "line silence" : "line", tabindex: -1 },
    make("span", { class: "line-number" }, make("span", { class: "visually-hidden" }, `${words.lines.line} `), ""),
    make("div", { class: "line-body" }, make("p", { class: "line-text", dir: "auto" }), make("p", { class: "line-about" })),
    make("span", { class: "line-mark" }),
  );
}

/** @param {HTMLElement} row @param {Segment} segment @param {boolean} deciding whether its words can be decided now */
export function updateLine(row, segment, deciding) {
  states.set(row, { segment, deciding });
  const { number, text, look, settled, sound } = segment;
  const also = readAlso(segment);
  const said = describeLine(segment);
  const now = JSON.stringify([number, text, said, also, look, settled, sound, deciding]);
  if (shown.get(row) === now) return;
  shown.set(row, now);
  row.dataset.number = String(number);
  row.classList.toggle("to-look", look !== null && look !== undefined);
  row.dataset.look = deciding && look ? look : "";
  setText(/** @type {Element} */ (row.firstElementChild?.lastChild), String(number));
  const [line, about] = /** @type {Element} */ (row.querySelector(".line-body")).children;
  line?.replaceChildren(readText(segment), ...(also ? [make("span", { class: "line-also" }, also)] : []));
  about?.replaceChildren(said, ...(look ? [" ", make("strong", { class: "look" }, makePicture("ask"), describeLook(segment))] : []));
}

/**
 * The line's controls, made when they are first needed.
 *
 * @param {HTMLElement} row
 * @param {Around} around
 * @returns {LineControls | null} null where there is nothing to do
 */
export function controlsOf(row, around) {
  const state = states.get(row);
  const there = row.querySelector(":scope > line-controls");
  if (there instanceof LineControls) return there;
  if (state === undefined || !SPOKEN.includes(state.segment.source)) return null;
  const controls = new LineControls(state.segment, around);
  row.append(controls);
  controls.show(state.segment, state.deciding);
  return controls;
}

/** @param {Segment} segment @returns {string} what it needs from a person, in words; empty where nothing */
export function describeLook({ look, sound }) {
  if (look === "unclear" && !sound) return words.listening.unclearGone;
  return words.listening.looks[look ?? ""] ?? "";
}

/** @param {Segment} segment @returns {string} its words; for a mark, what it marks */
export function readText({ source, text, settled, start_seconds: start, end_seconds: end }) {
  if (source === "silence") return words.lines.silence(text || words.lines.seconds((end ?? 0) - (start ?? 0)));
  return text || (settled ? words.lines.nothing : words.lines.notUnderstood);
}

/** @param {Segment} segment @returns {string} what else it was heard as; empty where that is no question */
export function readAlso({ heard_also: also, settled }) {
  return also && !settled ? `${words.lines.also} ${also === NOT_HEARD ? words.lines.notHeard : also}` : "";
}

/** @param {Segment} segment @returns {string} where it comes from, who said it where that is known, when, and whose words */
function describeLine({ source, speaker, channel, start_seconds: start, settled }) {
  const when = start !== null && start !== undefined ? showClock(start) : "";
  if (source === "silence") return when;
  const from = channel === "call" ? words.lines.call : (words.lines.sources[source] ?? source);
  return [from, words.lines.speakers[speaker], when, settled && words.lines.settled].filter(Boolean).join(" · ");
}
