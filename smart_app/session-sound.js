// @ts-check
/**
 * One or two microphones in, levels and numbered frames out: opening, choosing and closing the sources, and the audio
 * thread behind them. It keeps no sound; it decides nothing.
 */
import { explainRefusal, MicrophoneRefused } from "./recorder.js";

/** @typedef {import("./session-link.js").Begun} Begun */
/** @typedef {{id: string, label: string}} Input */
/**
 * @typedef {object} Listener
 * @property {(frame: ArrayBuffer) => void} onFrame
 * @property {(peaks: number[], clock: number) => void} onLevel ten times a second; peaks in [0, 1], clock in samples
 * @property {(channel: number) => void} onEnded a source that went away
 */

const FLUSH_MS = 1000;

/** @returns {Promise<Input[]>} what can be chosen; empty before the browser was allowed to tell */
export async function listInputs() {
  const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const named = devices.filter(({ kind, label }) => kind === "audioinput" && label !== "");
  return named.map(({ deviceId, label }) => ({ id: deviceId, label }));
}

/** @param {string} id of the device; empty for the browser's own choice @param {boolean} beside whether a call is heard beside it */
function openInput(id, beside) {
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneRefused("insecure");
  const deviceId = id === "" ? {} : { deviceId: { exact: id } };
  const audio = { channelCount: 1, echoCancellation: beside, noiseSuppression: true, autoGainControl: true, ...deviceId };
  return navigator.mediaDevices.getUserMedia({ audio });
}

/** The sound of a tab that the clinician points at; its picture is let go at once. */
async function openTabSound() {
  if (!navigator.mediaDevices?.getDisplayMedia) throw new MicrophoneRefused("noSharing");
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const wish = { video: true, audio, systemAudio: "include", selfBrowserSurface: "exclude" };
  const asked = navigator.mediaDevices.getDisplayMedia(/** @type {DisplayMediaStreamOptions} */ (wish));
  const stream = await asked.catch(() => {
    throw new MicrophoneRefused("notShared");
  });
  for (const track of stream.getVideoTracks()) {
    track.stop();
    stream.removeTrack(track);
  }
  if (stream.getAudioTracks().length === 0) throw new MicrophoneRefused("noCallSound");
  return stream;
}

export class SessionSound {
  /** Hz, of the devices' side. */
  #context = new AudioContext();
  #channels;
  #listener;
  /** @type {AudioWorkletNode | null} */
  #tap = null;
  /** @type {(MediaStream | null)[]} */
  #streams = [];
  /** @type {(MediaStreamAudioSourceNode | null)[]} */
  #sources = [];
  #muted = false;
  #clock = 0;
  #closed = false;
  /** @type {((clock: number) => void)[]} */
  #waiting = [];

  /** @param {number} channels 1 or 2 @param {Listener} listener */
  constructor(channels, listener) {
    this.#channels = channels;
    this.#listener = listener;
  }

  /**
   * Open the room's microphone. The browser asks here, once.
   *
   * @param {string} id of the device; empty for the browser's own choice
   * @throws {MicrophoneRefused}
   */
  async open(id) {
    await this.#translate(async () => {
      await this.#plug(0, await openInput(id, this.#channels > 1));
      await this.#context.audioWorklet.addModule("/page/session-worklet.js");
      if (this.#closed) return;
      this.#tap = new AudioWorkletNode(this.#context, "session-tap", {
        numberOfInputs: this.#channels,
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { channels: this.#channels },
      });
      this.#tap.port.onmessage = ({ data }) => this.#hear(data);
      for (const [channel, source] of this.#sources.entries()) source?.connect(this.#tap, 0, channel);
      if (this.#context.state === "suspended") await this.#context.resume();
    });
  }

  /**
   * Take another source for a channel; the one before is closed when the new one is open.
   *
   * @param {number} channel @param {{input: string} | {tab: true}} what
   * @throws {MicrophoneRefused}
   */
  async plug(channel, what) {
    await this.#translate(async () => {
      const stream = "tab" in what ? await openTabSound() : await openInput(what.input, channel === 0 && this.#channels > 1);
      await this.#plug(channel, stream);
    });
  }

  /** @param {number} channel @returns {string} the device that it hears; empty where it is none */
  deviceOf(channel) {
    return this.#streams[channel]?.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** @param {number} channel @returns {boolean} whether it has a source that gives sound */
  hears(channel) {
    return this.#streams[channel]?.getAudioTracks()[0]?.readyState === "live";
  }

  /** @returns {number} that the audio thread has run */
  get seconds() {
    return this.#context.currentTime;
  }

  /** @param {Begun} begun the first frames' numbers and start */
  begin(begun) {
    this.#tap?.port.postMessage({ begin: begun });
  }

  /** @returns {Promise<number>} the clock; every sample before it is in a frame that was handed over */
  flush() {
    return this.#ask({ flush: true });
  }

  /** Take nothing for now; the browser's own sign goes out. @returns {Promise<number>} the clock, which stands still */
  pause() {
    this.#mute(true);
    return this.#ask({ pause: true });
  }

  go() {
    this.#mute(false);
    this.#tap?.port.postMessage({ go: true });
  }

  /** @param {number} seconds in which nothing was heard */
  skip(seconds) {
    this.#tap?.port.postMessage({ skip: Math.round(seconds * 16000) });
    if (this.#context.state !== "running") void this.#context.resume();
  }

  /** Hand the rest over and close every source. */
  async finish() {
    await this.#ask({ close: true });
    this.close();
  }

  /** Close every source at once; nothing more comes. */
  close() {
    this.#closed = true;
    for (const [channel] of this.#streams.entries()) this.#unplug(channel);
    this.#tap?.port.postMessage({ close: true });
    if (this.#tap !== null) this.#tap.port.onmessage = null;
    this.#tap?.disconnect();
    for (const answer of this.#waiting) answer(this.#clock);
    if (this.#context.state !== "closed") void this.#context.close();
  }

  /** @param {number} channel @param {MediaStream} stream */
  async #plug(channel, stream) {
    if (this.#closed) return stream.getTracks().forEach((track) => track.stop());
    const source = this.#context.createMediaStreamSource(stream);
    this.#unplug(channel);
    this.#streams[channel] = stream;
    this.#sources[channel] = source;
    this.#mute(this.#muted);
    if (this.#tap !== null) source.connect(this.#tap, 0, channel);
    for (const track of stream.getAudioTracks()) {
      track.addEventListener("ended", () => this.#streams[channel] === stream && this.#listener.onEnded(channel));
    }
  }

  /** @param {number} channel */
  #unplug(channel) {
    this.#sources[channel]?.disconnect();
    this.#streams[channel]?.getTracks().forEach((track) => track.stop());
    this.#sources[channel] = this.#streams[channel] = null;
  }

  /** @param {boolean} muted */
  #mute(muted) {
    this.#muted = muted;
    for (const stream of this.#streams) stream?.getTracks().forEach((track) => (track.enabled = !muted));
  }

  /** @param {any} told by the audio thread */
  #hear({ frame, peaks, clock, done }) {
    if (frame) this.#listener.onFrame(frame);
    if (peaks) this.#listener.onLevel(peaks, clock);
    this.#clock = done ?? clock ?? this.#clock;
    if (done !== undefined) this.#waiting[0]?.(done);
  }

  /** @param {object} told @returns {Promise<number>} the clock; as last heard where the audio thread stands still */
  #ask(told) {
    return new Promise((resolve) => {
      /** @param {number} clock */
      const answer = (clock) => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== answer);
        resolve(clock);
      };
      const timer = setTimeout(() => answer(this.#clock), FLUSH_MS);
      this.#waiting.push(answer);
      this.#tap?.port.postMessage(told);
    });
  }

  /** @param {() => Promise<void>} open */
  async #translate(open) {
    try {
      await open();
    } catch (error) {
      throw error instanceof MicrophoneRefused ? error : explainRefusal(error);
    }
  }
}
