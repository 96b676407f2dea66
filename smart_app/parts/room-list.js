// @ts-check
/** Everyone in the room besides the patient and the clinician: what each answered, where everybody must say yes. */
import { arrange, make, makeButton, setText } from "../element.js";
import { words } from "../words.js";
import { AddPerson } from "./add-person.js";
import { PersonRow } from "./person-row.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../view.js").Person} Person */
/** @typedef {import("../visit.js").Visit} Visit */

const PHASES = ["choosing", "gathering", "reviewing"];

export class RoomList extends HTMLElement {
  #visit;
  #live = false;
  #phase = "";
  #key = "";
  /** @type {View | null} */
  #view = null;
  #sum = make("span", { class: "quiet room-sum", role: "status" });
  #list = make("div", { class: "people", role: "list" });
  #fold = make(
    "details",
    { class: "room" },
    make("summary", {}, make("h2", { class: "room-title" }, words.room.title), " ", this.#sum),
    make("p", { class: "quiet" }, words.room.why),
    this.#list,
  );
  #nobody = make("span", { class: "quiet" });
  #add = makeButton(words.room.add, () => this.#openForm(), { class: "quiet-button" });
  #form = new AddPerson((role, answers) => this.#send({ id: null, role, answers }), () => this.#closeForm());
  #adding = make("p", { class: "row" }, this.#nobody, this.#add);

  /** @param {Visit} visit */
  constructor(visit) {
    super();
    this.#visit = visit;
    this.#form.hidden = true;
  }

  connectedCallback() {
    if (this.firstChild !== null) return;
    this.hidden = true;
    this.append(this.#fold, this.#adding, this.#form);
  }

  /** @param {boolean} live whether the microphone takes sound; then nobody is added or removed */
  set live(live) {
    if (live === this.#live) return;
    this.#live = live;
    if (this.#view !== null) this.show(this.#view);
  }

  /** @param {View} view */
  show(view) {
    const { list, needed } = view.people;
    this.#view = view;
    this.hidden = needed.length === 0 || !PHASES.includes(view.phase);
    const empty = list.length === 0;
    const open = list.filter(({ answers }) => needed.some((one) => (answers[one] ?? "open") === "open")).length;
    const refused = list.filter(({ answers }) => needed.some((one) => answers[one] === "no")).length;
    if (view.phase !== this.#phase) this.#fold.open = view.phase === "choosing" && open > 0;
    this.#phase = view.phase;
    if (needed.join() !== this.#key) this.#list.replaceChildren(); // other questions need other rows
    this.#key = needed.join();
    this.#add.hidden = this.#live;
    if (this.#live) this.#form.hidden = true;
    arrange(
      this.#list,
      list,
      ({ id }) => id,
      (person) => this.#createRow(person),
      (row, person) => row.show(person, this.#live),
    );
    setText(this.#sum, empty ? "" : words.room.sum(list.length, open, refused));
    this.#fold.hidden = empty;
    setText(this.#nobody, [empty && words.room.nobody, this.#live && words.room.pauseToAdd].filter(Boolean).join(" "));
    this.#nobody.hidden = this.#nobody.textContent === "";
    this.#adding.hidden = !this.#form.hidden;
  }

  get #questions() {
    const { people, consents } = /** @type {View} */ (this.#view);
    return people.needed.map((id) => ({ id, label: consents.find(({ activity }) => activity === id)?.label ?? id }));
  }

  /** @param {Person} person */
  #createRow({ id, role }) {
    const roleId = this.#view?.people.roles.find(({ label }) => label === role)?.id ?? "";
    return new PersonRow(this.#questions, {
      answer: (answers) => this.#send({ id, role: roleId, answers }),
      remove: () => {
        this.#add.focus();
        void this.#visit.act("api/person-left", { id });
      },
    });
  }

  /** @param {{id: string | null, role: string, answers: Record<string, string>}} person */
  #send(person) {
    return this.#visit.act("api/person", person);
  }

  #openForm() {
    if (this.#view === null) return;
    this.#form.hidden = false;
    this.#adding.hidden = true;
    this.#form.open(this.#view.people.roles, this.#questions);
  }

  #closeForm() {
    this.#form.hidden = true;
    this.#adding.hidden = false;
    this.#fold.open = true;
    this.#add.focus();
  }
}

customElements.define("room-list", RoomList);
