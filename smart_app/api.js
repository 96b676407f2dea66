// @ts-check
/**
 * Requests to the visit: one view in, one view out, or a `Trouble` whose words a clinician can act on.
 * Addresses are relative to the page's own, so that a page can only reach its own visit.
 */
import { completeView } from "./view.js";
import { words } from "./words.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Wording} Wording */
/** @typedef {"refused" | "offline" | "forbidden" | "missing"} TroubleKind */

/** Why a request did not do what was asked. `message` is a sentence for the clinician. */
export class Trouble extends Error {
  /** @param {TroubleKind} kind @param {string} message @param {string} [code] the visit's own code, where it gave one */
  constructor(kind, message, code = "") {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** @param {string} path such as `api/view` */
export function visitUrl(path) {
  return new URL(path, document.baseURI);
}

/** Where the visit takes a session's sound. @returns {URL} */
export function sessionUrl() {
  const url = visitUrl("api/session");
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  return url;
}

/** @returns {Promise<View>} */
export function readView() {
  return request("api/view", { method: "GET" }, words.trouble.offline);
}

/**
 * The page to read with the patient.
 *
 * @param {string} language
 * @returns {Promise<Wording>}
 */
export function readWording(language) {
  return ask(`api/wording?language=${encodeURIComponent(language)}`, { method: "GET" }, words.trouble.offline);
}

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<View>}
 */
export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(body) }, words.trouble.notSent);
}

/**
 * @param {Blob} sound its type is `audio/wav` or `audio/flac`
 * @returns {Promise<View>}
 */
export function postDictation(sound) {
  return request(
    "api/dictation",
    { method: "POST", headers: { "Content-Type": sound.type }, body: sound },
    words.trouble.notSent,
  );
}

/**
 * The sound of one line: into memory, from which it is played; it has no address of its own on the page.
 *
 * @param {number} line
 * @returns {Promise<ArrayBuffer>} a WAV file
 */
export async function readSound(line) {
  const response = await reach(`api/segments/${line}/sound`, { method: "GET" }, words.listening.offline);
  if (!response.ok) {
    throw readTrouble(response.status, await response.json().catch(() => null), words.listening.offline, false);
  }
  return response.arrayBuffer().catch(() => {
    throw new Trouble("offline", words.listening.offline);
  });
}

/**
 * Ask for an address at which another tab, or this one, takes the visit over: good once, for a minute.
 *
 * @returns {Promise<URL>}
 */
export async function askTab() {
  const { url } = await ask("tab", { method: "POST" }, words.trouble.offline);
  return visitUrl(url);
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @param {string} offline
 * @returns {Promise<View>}
 */
async function request(path, options, offline) {
  return completeView(await ask(path, options, offline));
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @param {string} offline what to say when nothing answers
 * @returns {Promise<any>} the answer's JSON
 */
async function ask(path, options, offline) {
  const response = await reach(path, options, offline);
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw readTrouble(response.status, answer, offline, path === "api/view");
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @param {string} offline what to say when nothing answers
 * @returns {Promise<Response>} whatever its status
 */
async function reach(path, options, offline) {
  try {
    return await fetch(visitUrl(path), {
      ...options,
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
  } catch {
    throw new Trouble("offline", offline);
  }
}

/**
 * Only a refused read of the view says that the visit is lost to this browser; anything else that is refused with its
 * own sentence (consent is missing, say) leaves the visit where it was.
 *
 * @param {number} status
 * @param {any} answer
 * @param {string} offline
 * @param {boolean} reading
 * @returns {Trouble}
 */
function readTrouble(status, answer, offline, reading) {
  const message = typeof answer?.error?.message === "string" ? answer.error.message : "";
  const code = typeof answer?.error?.code === "string" ? answer.error.code : "";
  if (code === "visit.moved") return new Trouble("forbidden", message, code); // nothing to copy: it goes on there
  if (message && !reading) return new Trouble("refused", message, code);
  const lost = message && `${message} ${words.trouble.copyFirst}`;
  if (status === 403 || status === 401) return new Trouble("forbidden", lost || words.trouble.forbidden, code);
  if (status === 404 || status === 410) return new Trouble("missing", lost || words.trouble.missing, code);
  if (message) return new Trouble("refused", message, code);
  if (status >= 502) return new Trouble("offline", offline);
  return new Trouble("refused", words.trouble.unclear);
}
