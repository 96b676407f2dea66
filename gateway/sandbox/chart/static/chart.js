// The chart page: opens Countersign in a frame, and shows what is new in the record without losing that frame.
// Without this script the page still works: actions are form posts, Countersign opens in a tab.

const EVERY_MS = 2000;
const work = /** @type {HTMLElement} */ (document.getElementById("work"));
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const holder = /** @type {HTMLElement} */ (document.getElementById("frame"));
const form = /** @type {HTMLFormElement} */ (document.getElementById("open"));
const message = /** @type {HTMLElement} */ (document.getElementById("message"));
/** What the record looked like when it was last shown. */
let etag = "";

/** @returns {HTMLElement} the part of the page that is replaced when the record changes */
function findRecord() {
  return /** @type {HTMLElement} */ (document.getElementById("record"));
}

/**
 * @param {string} words
 * @param {boolean} refused
 */
function say(words, refused = false) {
  message.textContent = words;
  message.classList.toggle("refused", refused);
}

/** @param {string} view "side", "full", "chart" (Countersign stays open, out of sight) or "" for none */
function show(view) {
  app.hidden = !view || view === "chart";
  if (view) work.dataset.view = view;
  else delete work.dataset.view;
  for (const button of app.querySelectorAll("[data-open]")) {
    button.toggleAttribute("hidden", button.getAttribute("data-open") === view);
  }
}

/** Starts Countersign for the chosen visit. The frame's src is Countersign's own, so that it gets the microphone. */
async function openApp() {
  const body = new URLSearchParams({ encounter: String(new FormData(form).get("encounter") ?? "") });
  const reply = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
  if (!reply.ok) return say("Countersign could not be opened. Try again in a moment.", true);
  const frame = document.createElement("iframe");
  frame.title = "Countersign";
  frame.allow = "microphone";
  frame.src = (await reply.json()).url;
  holder.replaceChildren(frame);
  return frame.focus();
}

/** @param {string} view */
async function open(view) {
  show(view);
  if (!holder.firstElementChild) await openApp();
}

/** Replaces the record by its newest state, keeping what is folded open and where the focus is. */
async function refresh() {
  const record = findRecord();
  const reply = await fetch(`/patient/${record.dataset.patient}/record`, { headers: { "If-None-Match": etag } });
  if (reply.status !== 200) return;
  const first = !etag;
  etag = reply.headers.get("ETag") ?? "";
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  const fresh = /** @type {HTMLElement} */ (page.getElementById("record"));
  for (const old of record.querySelectorAll("details")) {
    const same = fresh.querySelector(`details[id="${CSS.escape(old.id)}"]`);
    if (same) same.toggleAttribute("open", old.open);
  }
  const focused = record.contains(document.activeElement) ? document.activeElement?.id : "";
  const before = Number(record.dataset.drafts);
  record.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus();
  if (!first && Number(fresh.dataset.drafts) > before) say("A draft has arrived and awaits your signature.");
}

/** Sends a form of the record without leaving the page. @param {HTMLFormElement} sent */
async function act(sent) {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(sent)) body.append(name, String(value));
  const reply = await fetch(sent.action, { method: "POST", body, headers: { Accept: "application/json" } });
  const words = reply.headers.get("content-type")?.includes("json") ? (await reply.json()).message : "";
  say(words || "This did not work. Try again in a moment.", !reply.ok);
  await refresh();
}

for (const button of document.querySelectorAll("[data-open]")) {
  button.removeAttribute("hidden");
  button.addEventListener("click", () => void open(button.getAttribute("data-open") ?? "side"));
}
document.getElementById("chart-only")?.addEventListener("click", () => {
  show("chart");
  /** @type {HTMLElement | null} */ (form.querySelector("[data-open]"))?.focus();
});
document.getElementById("close")?.addEventListener("click", () => {
  holder.replaceChildren();
  show("");
  /** @type {HTMLElement | null} */ (form.querySelector("[data-open]"))?.focus();
});
document.addEventListener("submit", (event) => {
  const sent = /** @type {HTMLFormElement} */ (event.target);
  if (!findRecord().contains(sent)) return;
  event.preventDefault();
  if (!sent.dataset.ask || confirm(sent.dataset.ask)) void act(sent);
});
setInterval(() => {
  if (document.visibilityState === "visible") refresh().catch(() => {});
}, EVERY_MS);
void refresh().catch(() => {});
