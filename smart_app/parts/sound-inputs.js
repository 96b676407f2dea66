// @ts-check
/** What a session hears: the microphone, a call's other side if there is one, and how loud each is. */
import { arrange, make, makeButton, makeId, setAttributes, setText } from "../element.js";
import { listInputs } from "../session-sound.js";
import { words } from "../words.js";
import { RadioRow } from "./radio-row.js";

/** @typedef {import("../session-capture.js").SessionCapture} SessionCapture */
/** @typedef {import("../session-capture.js").Sources} Sources */
/** @typedef {import("../session-sound.js").Input} Input */

const CALLS = Object.entries(words.session.calls).map(([id, label]) => ({ id, label }));

export class SoundInputs extends HTMLElement {
  #capture;
  /** Whether the room's microphone hears the loudspeaker. */
  bled = false;
  /** @type {Input[]} */
  #inputs = [];
  #listed = "";
  #call = new RadioRow(words.session.call, CALLS, "none");
  #devices = [0, 1].map(() => make("select", { id: makeId(), autocomplete: "off" }));
  #rows;
  #levels = words.session.levels.map((label) => make("meter", { min: 0, max: 1, low: 0.02, high: 0.95, optimum: 0.4, "aria-label": label }));
  #advice = make("p", { class: "quiet", role: "status" });
  #again = makeButton(words.session.shareAgain, () => void this.#capture.plug(1, { tab: true }));

  /** @param {SessionCapture} capture */
  constructor(capture) {
    super();
    this.#capture = capture;
    const labels = [words.session.microphone, words.session.second];
    this.#rows = this.#devices.map((device, channel) =>
      make("div", { class: "sound-input" }, make("label", { for: device.id }, labels[channel]), device, this.#levels[channel]),
    );
    for (const [channel, device] of this.#devices.entries()) {
      device.addEventListener("change", () => void this.#capture.plug(channel, { input: device.value }));
    }
    this.#call.addEventListener("change", () => this.show());
  }

  connectedCallback() {
    navigator.mediaDevices?.addEventListener("devicechange", this.#list);
    void this.#list();
    if (this.firstChild !== null) return;
    this.append(this.#call, ...this.#rows, this.#again, this.#advice);
    this.show();
  }

  disconnectedCallback() {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#list);
  }

  /** @returns {Sources} what is to be heard from the start */
  get chosen() {
    const call = /** @type {Sources["call"]} */ (this.#call.value);
    return { microphone: this.#devices[0]?.value ?? "", call, second: this.#devices[1]?.value || this.#other };
  }

  show() {
    const { mode, running, waiting, callEnded, devices } = this.#capture;
    const call = this.#call.value;
    const open = running || waiting || mode === "sending";
    if (this.#listed !== mode) void this.#list(); // once the microphone is open, the browser tells what there is
    this.#listed = mode;
    this.#call.disabled = open;
    this.#call.hidden = mode === "sending";
    const named = this.#inputs.length > 0;
    const shown = [named || running, (named && call === "input") || (running && call !== "none")];
    for (const [channel, row] of this.#rows.entries()) {
      const device = /** @type {HTMLSelectElement} */ (this.#devices[channel]);
      const choosable = named && (channel === 0 || call === "input");
      row.hidden = shown[channel] !== true || mode === "sending";
      device.hidden = !choosable;
      /** @type {HTMLElement} */ (row.firstElementChild).hidden = !choosable;
      device.disabled = waiting;
      if (running && devices[channel]) device.value = devices[channel] ?? "";
      /** @type {HTMLElement} */ (this.#levels[channel]).hidden = !running;
    }
    this.#again.hidden = !callEnded || call !== "tab";
    const advice = call === "none" ? words.session.oneMicrophone : words.session.headphones;
    setText(this.#advice, this.bled ? words.session.bled : advice);
    setAttributes(this.#advice, { class: this.bled ? "notice" : "quiet" });
    this.#advice.hidden = mode === "sending";
    this.measure();
  }

  /** How loud each is now. */
  measure() {
    for (const [channel, level] of this.#levels.entries()) {
      level.value = Math.sqrt(this.#capture.peaks[channel] ?? 0); // closer to loudness as it is heard than the plain peak
    }
  }

  /** @returns {string} an input that is not the microphone's */
  get #other() {
    const taken = this.#devices[0]?.value || "default";
    return this.#inputs.find(({ id }) => id !== taken && id !== "default")?.id ?? "";
  }

  #list = async () => {
    this.#inputs = await listInputs();
    const any = { id: "", label: words.session.anyMicrophone };
    for (const device of this.#devices) {
      const value = device.value;
      arrange(
        device,
        [any, ...this.#inputs],
        ({ id }) => id,
        ({ id, label }) => make("option", { value: id }, label),
        (option, { label }) => setText(option, label),
      );
      device.value = [...device.options].some((option) => option.value === value) ? value : "";
    }
    setAttributes(this, { "data-inputs": this.#inputs.length });
    this.show();
  };
}

customElements.define("sound-inputs", SoundInputs);
