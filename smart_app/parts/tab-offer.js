// @ts-check
/** Where the EHR's frame has no microphone: the visit goes on in a tab of its own, and comes back from there. */
import { Trouble, askTab } from "../api.js";
import { make, makeButton } from "../element.js";
import { words } from "../words.js";

/** @typedef {import("../visit.js").Visit} Visit */

const KEY_MS = 60_000; // how long the address of a tab is good

export class TabOffer extends HTMLElement {
  #visit;
  #say;
  #tab = make("a", { class: "button", target: "_blank", rel: "noopener noreferrer", hidden: true }, words.recorder.openTab);
  #ready = false;
  #here = makeButton(words.recorder.goOnHere, () => void this.#takeBack(), { class: "primary", hidden: true });

  /** @param {Visit} visit @param {(text: string) => void} say */
  constructor(visit, say) {
    super();
    this.#visit = visit;
    this.#say = say;
  }

  connectedCallback() {
    this.#visit.addEventListener("trouble", this.#seeTrouble);
    if (this.firstChild !== null) return;
    this.#tab.href = location.href;
    this.#tab.addEventListener("click", (event) => void this.#open(event));
    this.append(this.#tab, this.#here);
  }

  disconnectedCallback() {
    this.#visit.removeEventListener("trouble", this.#seeTrouble);
  }

  /** @param {boolean} offered */
  offer(offered) {
    this.#tab.hidden = !offered;
  }

  /**
   * The tab has no cookie of this visit: it gets an address that is good once, and the visit goes on there. Where the
   * browser opens no tab by itself, the next press of the link does.
   *
   * @param {MouseEvent} event
   */
  async #open(event) {
    if (this.#ready) return;
    event.preventDefault();
    const address = await this.#askAddress();
    if (address === null) return;
    this.#tab.href = address.href;
    this.#ready = true;
    setTimeout(() => this.#forget(), KEY_MS);
    this.#tab.click();
  }

  #forget() {
    this.#ready = false;
    this.#tab.href = location.href;
  }

  async #takeBack() {
    const address = await this.#askAddress();
    if (address !== null) location.replace(address);
  }

  /** @returns {Promise<URL | null>} */
  async #askAddress() {
    try {
      return await askTab();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.#say(error.message);
      return null;
    }
  }

  /** Whether the visit now goes on in another tab, where it was moved from here. */
  #seeTrouble = () => {
    const moved = this.#visit.trouble?.code === "visit.moved";
    if (moved) this.#forget();
    this.#here.hidden = !moved;
    if (moved) this.#tab.hidden = true;
  };
}

customElements.define("tab-offer", TabOffer);
