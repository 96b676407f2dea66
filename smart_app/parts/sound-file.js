// @ts-check
/** A dictation that was made elsewhere: a WAV or FLAC file, chosen or dropped. */
import { make, makeId } from "../element.js";
import { recogniseSound } from "../wav.js";
import { words } from "../words.js";

const LIMIT_BYTES = 100_000_000;

export class SoundFile extends HTMLElement {
  #onSound;
  #say;
  #free = false;
  #file = make("input", { type: "file", accept: ".wav,.flac,audio/wav,audio/flac", id: makeId(), class: "visually-hidden", autocomplete: "off" });

  /** @param {(sound: Blob) => void} onSound @param {(text: string) => void} say what is wrong with a file */
  constructor(onSound, say) {
    super();
    this.#onSound = onSound;
    this.#say = say;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.append(
      make(
        "div",
        { class: "drop" },
        this.#file,
        make("label", { class: "button", for: this.#file.id }, words.recorder.choose),
        make("span", { class: "quiet" }, words.recorder.drop),
      ),
    );
    this.#file.addEventListener("change", () => void this.take(this.#file.files));
  }

  /** @param {boolean} free whether a file may be given now */
  set free(free) {
    this.#free = free;
    this.hidden = this.#file.disabled = !free;
  }

  /** @param {FileList | null | undefined} files dropped or chosen */
  async take(files) {
    const [file, second] = files ?? [];
    if (file === undefined || !this.#free) return;
    if (second !== undefined) return this.#say(words.recorder.oneFile);
    if (file.size === 0) return this.#say(words.recorder.emptyFile);
    if (file.size > LIMIT_BYTES) return this.#say(words.recorder.bigFile);
    const type = await recogniseSound(file).catch(() => null);
    this.#file.value = "";
    if (type === null) return this.#say(words.recorder.wrongFile);
    this.#onSound(file.slice(0, file.size, type));
  }
}

customElements.define("sound-file", SoundFile);
