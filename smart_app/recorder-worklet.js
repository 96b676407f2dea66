// @ts-check
/**
 * On the audio thread: floats from the microphone in, about ten messages a second out, each with 16-bit samples and
 * their peak in [0, 1]. Nothing is kept here after a message.
 */
class MicrophoneTap extends AudioWorkletProcessor {
  /** @type {Int16Array} */
  #block = new Int16Array(Math.round(sampleRate / 10));
  #filled = 0;
  #peak = 0;
  #open = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data === "close") {
        this.#send();
        this.port.postMessage({ closed: true });
        this.#open = false;
      }
    };
  }

  /**
   * @param {Float32Array[][]} inputs
   * @returns {boolean}
   */
  process(inputs) {
    const channel = inputs[0]?.[0];
    if (channel !== undefined && this.#open) {
      for (const value of channel) {
        const clipped = Math.max(-1, Math.min(1, value));
        this.#peak = Math.max(this.#peak, Math.abs(clipped));
        this.#block[this.#filled] = Math.round(clipped * 32767);
        this.#filled += 1;
        if (this.#filled === this.#block.length) this.#send();
      }
    }
    return this.#open;
  }

  #send() {
    const samples = this.#block.slice(0, this.#filled);
    this.port.postMessage({ samples, peak: this.#peak }, [samples.buffer]);
    this.#block.fill(0);
    this.#filled = 0;
    this.#peak = 0;
  }
}

registerProcessor("microphone-tap", MicrophoneTap);
