// @ts-check
/**
 * What is said beside a session's sound, as the visit reads it (docs/architecture.md, "A session's sound"): one object
 * a message. Places are samples on the session's clock. This is the one file that knows their form.
 */

/** @typedef {import("./sound-frame.js").Channel} Channel */

/** @param {readonly Channel[]} channels */
export const sayBegin = (channels) => ({ begin: { channels } });

/** @param {number} at */
export const sayPause = (at) => ({ pause: at });

/** @param {number} at */
export const sayResume = (at) => ({ resume: at });

/** @param {number} seconds @param {number} now */
export const sayStrike = (seconds, now) => ({ strike: { seconds, now } });

/** @param {string} speaker @param {number} from @param {number} to */
export const sayMark = (speaker, from, to) => ({ mark: { speaker, from, to } });

/** @param {readonly [Channel, number][]} counts frames of each channel in all */
export const sayFinish = (counts) => ({ finish: Object.fromEntries(counts) });

/**
 * @param {unknown} data
 * @returns {{ack?: {channel: Channel, number: number, start: number}, struck?: {from: number},
 *   refused?: {code: string, message: string}}} empty where it is no JSON object
 */
export function readWord(data) {
  try {
    const said = JSON.parse(String(data));
    return typeof said === "object" && said !== null ? said : {};
  } catch {
    return {};
  }
}
