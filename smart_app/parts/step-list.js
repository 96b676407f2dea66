// @ts-check
/** Where the visit stands on its way: five words, one of them now. */
import { make, setAttributes } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").Phase} Phase */

const STEPS = /** @type {const} */ (["choosing", "gathering", "reviewing", "filing", "ended"]);

/** @type {Record<Phase, typeof STEPS[number]>} */
const STEP_OF = {
  opening: "choosing",
  choosing: "choosing",
  gathering: "gathering",
  drafting: "reviewing",
  reviewing: "reviewing",
  filing: "filing",
  "handing-over": "filing",
  ended: "ended",
};

export class StepList extends HTMLElement {
  #items = STEPS.map((step) => make("li", {}, words.steps[step]));

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(make("ol", { "aria-label": words.steps.label }, ...this.#items));
  }

  /** @param {import("../view.js").View} view */
  show(view) {
    const over = view.phase === "ended" && view.outcome !== "filed" && view.outcome !== "handed-over";
    this.hidden = over;
    const now = STEPS.indexOf(STEP_OF[view.phase] ?? "choosing");
    this.#items.forEach((item, index) =>
      setAttributes(item, { "aria-current": index === now ? "step" : null, class: index < now ? "past" : null }),
    );
  }
}

customElements.define("step-list", StepList);
