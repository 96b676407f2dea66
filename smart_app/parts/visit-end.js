// @ts-check
/** Phase `ended`: what became of the note, what is known of its signature, and the receipt of what was destroyed. */
import { make, setText } from "../element.js";
import { showMoment } from "../time.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").View} View */

export class VisitEnd extends HTMLElement {
  heading = make("h2", { tabindex: -1 });
  #words = make("p", { class: "end-words", role: "status", dir: "auto" });
  #seen = make("p", { class: "quiet" });
  #close = make("p", { class: "quiet" }, words.ended.close);
  #receipt = make("section", { class: "card receipt", "aria-label": words.ended.receipt });
  #said = "";

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(make("div", { class: "card end-card" }, this.heading, this.#words, this.#seen, this.#close), this.#receipt);
  }

  /** @param {View} view */
  show(view) {
    const { title, text, kind } = describeEnd(view);
    this.dataset.kind = kind;
    setText(this.heading, title);
    setText(this.#words, text);
    const seen = view.signature?.seen_at;
    setText(this.#seen, seen ? `${words.ended.seen} ${showMoment(seen)}` : "");
    this.#seen.hidden = !seen;
    this.#close.hidden = kind === "waiting";
    this.#receipt.hidden = view.receipt === null;
    const said = JSON.stringify(view.receipt);
    if (view.receipt === null || said === this.#said) return;
    this.#said = said;
    this.#receipt.replaceChildren(...describeReceipt(view.receipt));
  }
}

/** @param {View} view @returns {{title: string, text: string, kind: "waiting" | "done" | "stopped"}} */
function describeEnd({ outcome, receipt, signature }) {
  const all = words.ended;
  switch (outcome ?? receipt?.outcome) {
    case "filed":
      switch (signature?.status) {
        case "signed":
          return { title: all.signed, text: signature.words, kind: "done" };
        case "changed":
          return { title: all.changed, text: signature.words, kind: "done" };
        case "unknown":
          return { title: all.unknown, text: signature.words || all.unknownWords, kind: "waiting" };
        default:
          return { title: all.awaiting, text: all.awaitingWords, kind: "waiting" };
      }
    case "handed-over":
      return { title: all.handedOver, text: all.handedOverWords, kind: "done" };
    case "cancelled":
      return { title: all.cancelled, text: all.cancelledWords, kind: "stopped" };
    case "expired":
      return { title: all.expired, text: all.expiredWords, kind: "stopped" };
    case "failed":
      return { title: all.failed, text: all.failedWords, kind: "stopped" };
    default:
      return { title: all.over, text: all.overWords, kind: "stopped" };
  }
}

/** @param {NonNullable<View["receipt"]>} receipt */
function describeReceipt({ visit, ended_at: endedAt, destroyed, kept, proof, document: note }) {
  const rows = [
    [words.ended.visit, make("code", {}, visit)],
    [words.ended.endedAt, showMoment(endedAt)],
    [words.ended.document, note === null || note === undefined ? null : make("code", {}, note)],
    [words.ended.destroyed, listOf(destroyed)],
    [words.ended.kept, listOf(kept)],
    [words.ended.proof, listOf(proof)],
  ];
  const filled = rows.filter(([, value]) => value !== null);
  return [
    make("h3", {}, words.ended.receipt),
    make(
      "dl",
      { class: "head" },
      ...filled.map(([label, value]) => make("div", {}, make("dt", {}, label ?? ""), make("dd", {}, value))),
    ),
  ];
}

/** @param {string[] | undefined} items */
function listOf(items) {
  return items === undefined || items.length === 0 ? null : make("ul", {}, ...items.map((item) => make("li", {}, item)));
}

customElements.define("visit-end", VisitEnd);
