// @ts-check
/**
 * A frame of sound as it is sent (docs/architecture.md, "A session's sound"): 16 bytes of header, little endian, then
 * 16-bit samples of one channel. Nothing here knows of sockets or microphones.
 */

/** Hz: what speech models hear, and the session's clock. */
export const SPEECH_RATE = 16000;
export const HEADER_BYTES = 16;
/** A channel's number is its place here. */
export const CHANNELS = /** @type {const} */ (["room", "call"]);

const VERSION = 1;

/** @typedef {typeof CHANNELS[number]} Channel */
/** @typedef {{channel: Channel, number: number, start: number, samples: number}} FrameHead */

/**
 * @param {DataView} view of the frame
 * @param {number} channel 0 room, 1 call
 * @param {number} number from 0 in each channel
 * @param {number} start its first sample on the session's clock
 */
export function writeHead(view, channel, number, start) {
  view.setUint8(0, VERSION);
  view.setUint8(1, channel);
  view.setUint16(2, 0, true);
  view.setUint32(4, number, true);
  view.setBigUint64(8, BigInt(start), true);
}

/** @param {ArrayBuffer} frame @returns {FrameHead} */
export function readHead(frame) {
  const view = new DataView(frame);
  return {
    channel: CHANNELS[view.getUint8(1)] ?? "room",
    number: view.getUint32(4, true),
    start: Number(view.getBigUint64(8, true)),
    samples: (frame.byteLength - HEADER_BYTES) / 2,
  };
}

/**
 * Put silence in place of what must not leave the page any more; number and length stay.
 *
 * @param {ArrayBuffer} frame @param {number} from @param {number} to samples on the session's clock
 */
export function silence(frame, from, to) {
  const { start, samples } = readHead(frame);
  const first = Math.max(0, Math.min(samples, from - start));
  const last = Math.max(first, Math.min(samples, to - start));
  new Uint8Array(frame, HEADER_BYTES + 2 * first, 2 * (last - first)).fill(0);
}
