// @ts-check
/**
 * The view: what the visit tells the page (docs/architecture.md, "The view"), as types, and the one function that
 * makes an incomplete answer whole. Nothing here touches the document.
 *
 * @typedef {"opening"|"choosing"|"gathering"|"drafting"|"reviewing"|"filing"|"handing-over"|"ended"} Phase
 * @typedef {{reference: string, effect: string, words: string}} Ground
 * @typedef {{activity: string, label: string, permitted: boolean, code: string, words: string, grounds: Ground[],
 *   until: string | null}} Consent
 * @typedef {{id: string, label: string}} Choice
 * @typedef {{how: "write" | "attest" | "refuse", words: string, languages: Choice[], performers: Choice[]}} Asking
 * @typedef {{id: string, role: string, name: string, added: boolean, answers: Record<string, string>}} Person
 * @typedef {{list: Person[], roles: Choice[], needed: string[]}} People
 * @typedef {{state: "off" | "asking" | "on" | "paused", words: string, checked_at: string | null}} Capture
 * @typedef {{labels: string[], words: string}} TakenBack
 * @typedef {{heading: string, text: string}} WordingPart
 * @typedef {{language: string, title: string, lead: string,
 *   questions: {activity: string, parts: WordingPart[]}[]}} Wording
 * @typedef {{id: string, label: string, offered: boolean, why: string, needs: string[]}} Way
 * @typedef {{id: string, title: string}} NoteFormat
 * @typedef {{what: string, done: number, words: string}} Working
 * @typedef {{number: number, source: string, speaker: string, text: string, start_seconds: number | null,
 *   end_seconds: number | null, unclear: boolean, channel?: "room" | "call" | null, heard_also?: string,
 *   confidence?: number | null, settled: boolean, look: Look | null, sound: boolean}} Segment
 * @typedef {"two-ways" | "unclear" | "missed"} Look what a line still needs from a person
 * @typedef {{code: string, heard: string | null, drafting: boolean, words: string}} Language
 * @typedef {{number: number, text: string, segments: number[], origin: string, risk: boolean,
 *   risk_decision: string | null}} Statement
 * @typedef {{id: string, title: string, decision: string, text: string, empty_words: string,
 *   statements: Statement[]}} Section
 * @typedef {{number: number, section: string, text: string, reason: string, segments: number[]}} Withheld
 * @typedef {{code: string, message: string}} Problem
 * @typedef {{label: string, value: string}} Labelled
 * @typedef {{name: string, birth_date: string | null, gender: string | null, identifiers: Labelled[]}} Patient
 * @typedef {{id: string, period: string, kind: string, location: string, participants: string[]}} Encounter
 * @typedef {{visit: string, outcome: string, ended_at: string, destroyed: string[], kept: string[], proof: string[],
 *   document: string | null}} Receipt
 * @typedef {{status: string, words: string, seen_at: string | null}} Signature
 *
 * @typedef {object} View
 * @property {number} version
 * @property {Phase} phase
 * @property {{name: string, unsigned_notes: boolean}} ehr
 * @property {boolean} show_banner
 * @property {{name: string}} clinician
 * @property {Patient | null} patient
 * @property {Encounter | null} encounter
 * @property {{id: string, label: string}[]} encounter_choices
 * @property {boolean} may_have_no_encounter
 * @property {boolean} encounter_settled
 * @property {"yes"|"no"|"unknown"} telehealth
 * @property {{reference: string, what: string}[]} read
 * @property {Consent[]} consents
 * @property {Asking} asking
 * @property {People} people
 * @property {Capture} capture
 * @property {TakenBack | null} taken_back
 * @property {Way[]} ways
 * @property {string | null} way
 * @property {string | null} format
 * @property {NoteFormat[]} formats
 * @property {{kind: string, label: string}} drafter
 * @property {{ready: boolean, label: string}} speech
 * @property {Working | null} working
 * @property {Segment[]} segments
 * @property {number[]} marks lines that must be decided before filing
 * @property {string | null} sound_until
 * @property {Language} language
 * @property {boolean} bled whether the room's microphone hears the call's loudspeaker
 * @property {{text: string, observations: string}} typed
 * @property {Section[]} sections
 * @property {Withheld[]} withheld
 * @property {number} open_decisions
 * @property {Labelled[]} head
 * @property {string} made
 * @property {string} attestation
 * @property {Problem | null} problem
 * @property {string | null} handover_text
 * @property {string | null} outcome
 * @property {Receipt | null} receipt
 * @property {Signature | null} signature
 */

/** What stands for the second hearing of a line where it heard no words at all. */
export const NOT_HEARD = "…";

/** @returns {View} a view that says nothing yet */
export function emptyView() {
  return {
    version: 0,
    phase: "opening",
    ehr: { name: "", unsigned_notes: true },
    show_banner: true,
    clinician: { name: "" },
    patient: null,
    encounter: null,
    encounter_choices: [],
    may_have_no_encounter: false,
    encounter_settled: false,
    telehealth: "unknown",
    read: [],
    consents: [],
    asking: { how: "refuse", words: "", languages: [], performers: [] },
    people: { list: [], roles: [], needed: [] },
    capture: { state: "off", words: "", checked_at: null },
    taken_back: null,
    ways: [],
    way: null,
    format: null,
    formats: [],
    drafter: { kind: "none", label: "" },
    speech: { ready: false, label: "" },
    working: null,
    segments: [],
    marks: [],
    sound_until: null,
    language: { code: "", heard: null, drafting: true, words: "" },
    bled: false,
    typed: { text: "", observations: "" },
    sections: [],
    withheld: [],
    open_decisions: 0,
    head: [],
    made: "",
    attestation: "",
    problem: null,
    handover_text: null,
    outcome: null,
    receipt: null,
    signature: null,
  };
}

/**
 * The questions of consent that bear on this visit: telehealth only where it may be one.
 *
 * @param {View} view
 * @returns {Consent[]}
 */
export function listQuestions({ consents, telehealth }) {
  return consents.filter(({ activity }) => activity !== "telehealth" || telehealth !== "no");
}

/**
 * What the open decisions are, by kind; in all, they are the view's `open_decisions`.
 *
 * @param {View} view
 * @returns {{sections: number, risks: number, heard: number, lines: number}} heard: lines that can be listened to;
 *   lines: the others that must be decided
 */
export function countOpen({ sections, segments, marks }) {
  const risks = sections.flatMap(({ statements }) => statements.filter(isOpenRisk));
  const heard = segments.filter(({ number, sound }) => sound && marks.includes(number));
  const open = sections.filter(({ decision }) => decision === "open");
  return { sections: open.length, risks: risks.length, heard: heard.length, lines: marks.length - heard.length };
}

/** @param {Statement} statement @returns {boolean} whether it is a quoted risk line that nobody has decided on */
export function isOpenRisk({ risk, risk_decision: decision }) {
  return risk && (decision === null || decision === "open");
}

/**
 * Make an answer whole: fields that the front leaves out after the end get their empty value.
 *
 * @param {unknown} answer parsed JSON
 * @returns {View}
 */
export function completeView(answer) {
  const view = emptyView();
  if (typeof answer !== "object" || answer === null) return view;
  const given = Object.entries(answer).filter(([, value]) => value !== undefined && value !== null);
  Object.assign(view, Object.fromEntries(given));
  return view.phase === "ended" ? forgetPatient(view) : view;
}

/**
 * After the end the page keeps nothing of the patient, whatever the answer still carried.
 *
 * @param {View} view
 * @returns {View}
 */
function forgetPatient(view) {
  const { version, phase, ehr, outcome, receipt, signature, problem } = view;
  return { ...emptyView(), version, phase, ehr, outcome, receipt, signature, problem };
}
