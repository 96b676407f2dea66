// @ts-check
/**
 * The microphone in, a WAV in memory out. Samples live in this object only; `discard` drops them at once.
 */
import { encodeWav } from "./wav.js";

/** What speech models hear; the smallest that loses nothing for them. */
const SPEECH_RATE = 16000;

/** Why the microphone can't be used; a key of `words.recorder`. */
export class MicrophoneRefused extends Error {
  /** @param {"denied" | "framed" | "noMicrophone" | "microphoneBusy" | "insecure" | "notShared" | "noCallSound" | "noSharing"} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

export class Recorder {
  /** @type {Int16Array[]} */
  #chunks = [];
  #samples = 0;
  #context;
  #stream;
  #tap;
  #paused = false;

  /**
   * Open the microphone and record from the first moment.
   *
   * @param {{onLevel: (peak: number) => void, onLost: () => void}} listener
   * @returns {Promise<Recorder>}
   */
  static async open(listener) {
    if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneRefused("insecure");
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: false, noiseSuppression: true, autoGainControl: true },
      });
    } catch (error) {
      throw explainRefusal(error);
    }
    try {
      const { context, source } = await openContext(stream);
      return new Recorder(stream, context, source, listener);
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      throw error;
    }
  }

  /**
   * @param {MediaStream} stream
   * @param {AudioContext} context
   * @param {MediaStreamAudioSourceNode} source
   * @param {{onLevel: (peak: number) => void, onLost: () => void}} listener
   */
  constructor(stream, context, source, listener) {
    this.#stream = stream;
    this.#context = context;
    this.#tap = new AudioWorkletNode(context, "microphone-tap", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    this.#tap.port.onmessage = ({ data }) => {
      if (data.samples === undefined || this.#paused) return;
      this.#chunks.push(data.samples);
      this.#samples += data.samples.length;
      listener.onLevel(data.peak);
    };
    source.connect(this.#tap);
    for (const track of stream.getTracks()) track.addEventListener("ended", listener.onLost);
  }

  /** @returns {number} recorded so far */
  get seconds() {
    return this.#samples / this.#context.sampleRate;
  }

  /** Take nothing more for now; the browser's own sign goes out with the muted track. */
  pause() {
    this.#paused = true;
    this.#stream.getTracks().forEach((track) => (track.enabled = false));
  }

  resume() {
    this.#paused = false;
    this.#stream.getTracks().forEach((track) => (track.enabled = true));
  }

  /**
   * Close the microphone.
   *
   * @returns {Promise<Blob | null>} a WAV at 16 kHz; null when nothing was recorded
   */
  async stop() {
    await this.#flush();
    const chunks = this.#chunks;
    const rate = this.#context.sampleRate;
    this.discard();
    if (!chunks.some((chunk) => chunk.length > 0)) return null;
    return encodeWav(rate === SPEECH_RATE ? chunks : [await resample(chunks, rate)], SPEECH_RATE);
  }

  /** Close the microphone at once and drop what was recorded. */
  discard() {
    this.#paused = true;
    this.#chunks = [];
    this.#samples = 0;
    this.#stream.getTracks().forEach((track) => track.stop());
    this.#tap.disconnect();
    if (this.#context.state !== "closed") void this.#context.close();
  }

  /** Get the last block from the audio thread; a closed microphone may never send it. */
  async #flush() {
    if (this.#paused || this.#context.state !== "running") return;
    await new Promise((resolve) => {
      const take = this.#tap.port.onmessage;
      const timer = setTimeout(resolve, 500);
      this.#tap.port.onmessage = (event) => {
        take?.call(this.#tap.port, event);
        if (event.data.closed) {
          clearTimeout(timer);
          resolve(undefined);
        }
      };
      this.#tap.port.postMessage("close");
    });
  }
}

/**
 * Some browsers don't join a microphone to a context of another rate: then the device's rate is taken and the
 * recording resampled at its end.
 *
 * @param {MediaStream} stream
 */
async function openContext(stream) {
  for (const options of [{ sampleRate: SPEECH_RATE }, {}]) {
    const context = new AudioContext(options);
    try {
      const source = context.createMediaStreamSource(stream);
      await context.audioWorklet.addModule("/page/recorder-worklet.js");
      if (context.state === "suspended") await context.resume();
      return { context, source };
    } catch (error) {
      await context.close();
      if (options.sampleRate === undefined) throw error;
    }
  }
  throw new Error("unreachable");
}

/**
 * @param {readonly Int16Array[]} chunks
 * @param {number} rate Hz
 * @returns {Promise<Int16Array>} at 16 kHz
 */
async function resample(chunks, rate) {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const offline = new OfflineAudioContext(1, Math.max(1, Math.ceil((length * SPEECH_RATE) / rate)), SPEECH_RATE);
  const buffer = offline.createBuffer(1, length, rate);
  const samples = buffer.getChannelData(0);
  let place = 0;
  for (const chunk of chunks) {
    for (const value of chunk) samples[place++] = value / 32767;
  }
  const source = offline.createBufferSource();
  source.buffer = buffer;
  source.connect(offline.destination);
  source.start();
  const rendered = (await offline.startRendering()).getChannelData(0);
  return Int16Array.from(rendered, (value) => Math.round(Math.max(-1, Math.min(1, value)) * 32767));
}

/** @param {unknown} error of the browser's @returns {MicrophoneRefused} */
export function explainRefusal(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotFoundError" || name === "OverconstrainedError") return new MicrophoneRefused("noMicrophone");
  if (name !== "NotAllowedError" && name !== "SecurityError") return new MicrophoneRefused("microphoneBusy");
  return new MicrophoneRefused(window.top === window ? "denied" : "framed");
}
