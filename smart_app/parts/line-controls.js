// @ts-check
/**
 * What can be done with one line: hear it, say which of two hearings is right, confirm it, or give the words that were
 * said. Why something was not done is said here, and what is being typed stays until it is kept or left.
 */
import { findDifference } from "../difference.js";
import { make, makeButton, makeId, makePicture, makeTextArea, setAttributes, setText } from "../element.js";
import { NOT_HEARD } from "../view.js";
import { words } from "../words.js";

/** @typedef {import("../view.js").Segment} Segment */
/** @typedef {import("../visit.js").Visit} Visit */
/** @typedef {import("../line-sound.js").LineSound} LineSound */
/** @typedef {import("../line-sound.js").Playing} Playing */

export const SPOKEN = ["session", "dictation"]; // what is typed is corrected where it was typed

export class LineControls extends HTMLElement {
  #visit;
  #sound;
  #mayPlay;
  /** @type {Segment} */
  #segment;
  #deciding = false;
  /** @type {Playing} */
  #playing = "silent";
  #asked = ""; // what the choices are about
  /** @type {string | null} the line's words when the field was opened; null: she has been told that they changed */
  #heard = null;
  #begun = ""; // what the field began with
  #play = makeButton("", () => this.play(), { class: "play-button" });
  #question = make("p", { class: "line-question" });
  #correct = makeButton(words.listening.correct, () => this.write(), { class: "quiet-button" });
  #gone = make("p", { class: "quiet" }, words.listening.gone);
  #choices = make("div", { class: "line-choices", role: "group" });
  #field = makeTextArea({ id: makeId(), rows: 2 });
  #label = make("label", { for: this.#field.id });
  #editor;
  #why = make("p", { class: "notice", role: "alert", dir: "auto" });

  /**
   * @param {Segment} segment
   * @param {{visit: Visit, sound: LineSound, mayPlay: () => boolean}} around mayPlay: false while a microphone would hear it
   */
  constructor(segment, { visit, sound, mayPlay }) {
    super();
    this.#segment = segment;
    this.#visit = visit;
    this.#sound = sound;
    this.#mayPlay = mayPlay;
    this.#editor = make(
      "div",
      { class: "field editor", hidden: true },
      this.#label,
      this.#field,
      make(
        "div",
        { class: "row" },
        makeButton(words.listening.save, () => void this.#save(), { class: "primary" }),
        makeButton(words.listening.leave, () => this.#closeEditor()),
      ),
    );
    this.#editor.addEventListener("keydown", (event) => this.#takeEditorKey(event));
    this.#field.addEventListener("input", () => this.#tell());
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    const tools = make("div", { class: "line-tools" }, this.#play, this.#gone, this.#question, this.#correct);
    this.append(tools, this.#choices, this.#editor);
  }

  disconnectedCallback() {
    if (this.#playing !== "silent") this.#sound.stop();
  }

  /** @returns {string} the line's name if words for it are typed and not kept yet */
  get unsaved() {
    return this.#editor.hidden || this.#field.value === this.#begun ? "" : words.listening.unsaved(this.#segment.number);
  }

  /** @param {Segment} segment @param {boolean} deciding whether its words can be decided now */
  show(segment, deciding) {
    const { number, text, heard_also: also, look, sound } = segment;
    const held = this.contains(document.activeElement);
    this.#segment = segment;
    this.#deciding = deciding;
    if (!sound && this.#playing !== "silent") this.#sound.stop();
    const silent = this.#playing === "silent";
    const open = !this.#editor.hidden;
    this.#play.hidden = !sound && silent;
    const say = silent ? words.listening.play : words.listening.stop;
    if (this.#play.textContent !== say) this.#play.replaceChildren(makePicture(silent ? "play" : "stop"), say);
    setAttributes(this.#play, {
      "aria-label": silent ? words.listening.playLine(number) : words.listening.stopLine(number),
      "aria-busy": this.#playing === "fetching" ? "true" : null,
    });
    this.#gone.hidden = sound || look === null || !deciding;
    this.#correct.hidden = !deciding || look !== null || open || !SPOKEN.includes(segment.source);
    setAttributes(this.#correct, { "aria-label": words.listening.correctLine(number) });
    setText(this.#label, words.listening.field(number));
    this.#choices.hidden = !deciding || look === null || open;
    setAttributes(this, { "data-open": open });
    this.#question.hidden = this.#choices.hidden || look !== "two-ways"; // the other buttons say it themselves
    const asked = this.#choices.hidden ? "" : JSON.stringify([number, text, also, look]);
    if (asked !== this.#asked) this.#choices.replaceChildren(...(asked === "" ? [] : this.#makeChoices(segment)));
    this.#asked = asked;
    const at = document.activeElement;
    if (held && !(this.contains(at) && at?.checkVisibility())) focusLineOf(this); // what had the focus is gone
  }

  /** Play the line, or stop it. */
  play() {
    this.#say("");
    if (this.#playing !== "silent") return this.#sound.stop();
    if (!this.#segment.sound) return;
    if (!this.#mayPlay()) return this.#say(words.listening.hush);
    const { number } = this.#segment;
    const tell = (/** @type {Playing} */ playing) => {
      this.#playing = playing;
      this.show(this.#segment, this.#deciding);
    };
    void this.#sound.play(number, tell).then((why) => why && this.#say(why));
  }

  /** Give the words that were said, beginning with what was heard. */
  write() {
    if (this.#choices.hidden && this.#correct.hidden && this.#editor.hidden) return;
    if (this.#editor.hidden) {
      this.#heard = this.#begun = this.#field.value = this.#segment.text;
      this.#editor.hidden = false;
      this.#say("");
      this.#field.focus();
      this.show(this.#segment, this.#deciding);
      this.#tell();
    }
    this.#field.focus();
  }

  /** @param {Segment} segment @returns {Node[]} the question and its answers */
  #makeChoices({ number, text, heard_also: also = "", look }) {
    const question = words.listening.questions[look ?? ""] ?? "";
    setAttributes(this.#choices, { "aria-label": words.listening.decide(number, question) });
    const write = look === "missed" ? words.listening.write : words.listening.other;
    const other = makeButton(write, () => this.write(), { class: look === "two-ways" ? "quiet-button" : "" });
    setText(this.#question, question);
    if (look === "two-ways") return [this.#makeHearing(text, also), this.#makeHearing(also, text), other];
    const [label, decided] = look === "missed" ? [words.listening.nothing, ""] : [words.listening.confirm, text];
    const decide = makeButton(label, () => void this.#decide(decided));
    return look === "missed" ? [other, decide] : [decide, other];
  }

  /** @param {string} text @param {string} other */
  #makeHearing(text, other) {
    const label = text === NOT_HEARD ? words.listening.notHeard : other === NOT_HEARD ? text : "";
    const button = makeButton(label, () => void this.#decide(text), { class: "hearing", dir: "auto" });
    if (label !== "") return button; // nothing to compare
    const pieces = findDifference(text, other).map(({ text: piece, differs }) => (differs ? make("b", {}, piece.trim()) : piece.trim()));
    button.append(make("span", {}, ...pieces.flatMap((piece, place) => (place > 0 ? [" ", piece] : [piece]))));
    return button;
  }

  /** @param {string} text one of what is offered */
  async #decide(text) {
    if (this.#choices.getAttribute("aria-busy") === "true") return;
    setAttributes(this.#choices, { "aria-busy": "true" });
    await this.#send(this.#segment.text, text);
    setAttributes(this.#choices, { "aria-busy": null });
  }

  async #save() {
    const text = this.#field.value.trim();
    if (text === "") return this.#say(words.listening.needWords);
    if (this.#editor.getAttribute("aria-busy") === "true") return;
    setAttributes(this.#editor, { "aria-busy": "true" });
    const kept = await this.#send(this.#heard ?? this.#segment.text, text);
    setAttributes(this.#editor, { "aria-busy": null });
    if (kept) this.#closeEditor();
    else this.#heard = null;
  }

  /** @param {string} heard @param {string} text @returns {Promise<boolean>} whether the visit has taken it */
  #send(heard, text) {
    this.#say("");
    const onTrouble = (/** @type {string} */ message) => this.#say(message);
    return this.#visit.act("api/segment", { number: this.#segment.number, heard, text }, { onTrouble });
  }

  #closeEditor() {
    if (this.#editor.hidden) return;
    const held = this.#editor.contains(document.activeElement);
    this.#editor.hidden = true;
    this.#field.value = this.#begun = "";
    this.#say("");
    this.show(this.#segment, this.#deciding);
    this.#tell();
    if (held) focusLineOf(this);
  }

  /** @param {KeyboardEvent} event */
  #takeEditorKey(event) {
    event.stopPropagation(); // keys typed here are text
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void this.#save();
    else if (event.key === "Escape" && this.unsaved === "") this.#closeEditor();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("editing", { bubbles: true }));
  }

  /** @param {string} why in a sentence; empty takes it away */
  #say(why) {
    setText(this.#why, why);
    if (why === "") this.#why.remove();
    else if (!this.#why.isConnected) this.append(this.#why);
  }
}

/** @param {HTMLElement} controls */
function focusLineOf(controls) {
  /** @type {HTMLElement | null} */ (controls.closest(".line"))?.focus();
}

customElements.define("line-controls", LineControls);
