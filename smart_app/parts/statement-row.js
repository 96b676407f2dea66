// @ts-check
/** One statement: its words, whose they are, the lines that carry it, and for a quoted risk line its own decision. */
import { make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { isOpenRisk } from "../view.js";
import { words } from "../words.js";
import { describeLook, readAlso, readText } from "./evidence-line.js";
import { makeLineButtons } from "./evidence-lines.js";

/** @typedef {import("../view.js").Statement} Statement */
/** @typedef {import("../view.js").Segment} Segment */
/** @typedef {{jump: (line: number, from: HTMLElement) => void, decideRisk: (number: number, decision: string) => void}} RowActs */

/**
 * Rows carry `data-statement` and `data-lines`; the desk moves among them.
 *
 * @param {Statement} statement
 * @param {RowActs} acts
 * @returns {HTMLLIElement}
 */
export function createStatement(statement, acts) {
  const row = make("li", {
    class: statement.risk ? "statement risk" : "statement",
    tabindex: -1,
    "data-statement": statement.number,
    "data-lines": statement.segments.join(" "),
  });
  const about = make("div", { class: "statement-about" });
  if (statement.risk) about.append(make("strong", { class: "risk-tag" }, words.review.risk));
  const origin = words.review.origins[statement.origin];
  if (origin && !statement.risk) about.append(make("span", { class: `origin origin-${statement.origin}` }, origin));
  if (statement.segments.length > 0) {
    const label = statement.segments.length === 1 ? words.lines.line : words.lines.lines;
    about.append(makeLineButtons(statement.segments, label, (line) => acts.jump(line, row)));
    for (const line of statement.segments) {
      const listen = () => acts.jump(line, row);
      about.append(makeButton("", listen, { class: "quiet-button line-button to-hear", "data-line": line, hidden: true }));
    }
  }
  row.append(make("p", { class: "statement-text", dir: "auto" }, statement.text), about);
  if (statement.risk) row.append(makeRiskDecision(statement, acts));
  row.append(make("ol", { class: "beneath", hidden: true, "aria-label": words.lines.title }));
  return row;
}

/** @param {Statement} statement @param {RowActs} acts */
function makeRiskDecision({ number }, { decideRisk }) {
  const state = make("span", { class: "risk-state", id: makeId() });
  return make(
    "div",
    { class: "row risk-decision", role: "group", "aria-label": words.review.riskDecide },
    makeButton(words.review.keep, () => decideRisk(number, "kept"), { "data-decision": "kept" }),
    makeButton(words.review.strike, () => decideRisk(number, "struck"), { "data-decision": "struck" }),
    state,
  );
}

/**
 * @param {HTMLElement} row
 * @param {Statement} statement
 * @param {boolean} deciding whether decisions are asked for now
 * @param {ReadonlyMap<number, boolean>} toHear lines that need a person, and whether they can be listened to
 */
export function updateStatement(row, statement, deciding, toHear) {
  setText(/** @type {Element} */ (row.querySelector(".statement-text")), statement.text);
  for (const listen of row.querySelectorAll(".to-hear")) {
    const line = Number(/** @type {HTMLElement} */ (listen).dataset.line);
    /** @type {HTMLElement} */ (listen).hidden = !deciding || !toHear.has(line);
    setText(listen, words.listening.toLine(line, toHear.get(line) === true));
  }
  const decision = row.querySelector(".risk-decision");
  if (decision === null) return;
  /** @type {HTMLElement} */ (decision).hidden = !deciding;
  for (const button of decision.querySelectorAll("button")) {
    setAttributes(button, { "aria-pressed": String(button.dataset.decision === statement.risk_decision) });
  }
  const open = isOpenRisk(statement);
  setText(
    /** @type {Element} */ (decision.querySelector(".risk-state")),
    open ? words.review.riskOpen : (words.review.riskDecisions[statement.risk_decision ?? ""] ?? ""),
  );
  setAttributes(row, { "data-open": open, "data-struck": statement.risk_decision === "struck" });
}

/**
 * Show a row's lines beneath it, where there is no room beside the draft; other rows show none.
 *
 * @param {HTMLElement} row
 * @param {readonly Segment[]} segments
 * @param {boolean} shown
 */
export function showBeneath(row, segments, shown) {
  const list = row.querySelector(":scope > .beneath");
  if (!(list instanceof HTMLElement)) return;
  const lines = linesOf(row);
  list.hidden = !shown || lines.length === 0;
  if (list.hidden) return list.replaceChildren();
  list.replaceChildren(
    ...segments
      .filter(({ number }) => lines.includes(number))
      .map((segment) =>
        make(
          "li",
          {},
          make("span", { class: "line-number" }, String(segment.number)),
          make("span", { dir: "auto" }, [readText(segment), readAlso(segment)].filter(Boolean).join(" ")),
          segment.look && make("strong", { class: "look" }, describeLook(segment)),
        ),
      ),
  );
}

/** @param {HTMLElement} row @returns {number[]} */
export function linesOf(row) {
  return (row.dataset.lines ?? "").split(" ").filter(Boolean).map(Number);
}
