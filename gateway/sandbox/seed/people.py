"""Who is in the invented practice: data only. Times are of today, days count back from today."""

from dataclasses import dataclass
from typing import Literal

Activity = Literal["telehealth", "recording", "ai-drafting"]
ALL: tuple[Activity, ...] = ("telehealth", "recording", "ai-drafting")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a patient to one question. ``ends_days`` counts from today; None: no end is stated."""

    activity: Activity
    type: Literal["permit", "deny"] = "permit"
    status: Literal["active", "inactive"] = "active"
    given_days_ago: int = 60
    ends_days: int | None = 305


@dataclass(frozen=True, slots=True)
class PastNote:
    """A signed note of an earlier visit; its text is as short as such notes are."""

    days_ago: int
    text: str


@dataclass(frozen=True, slots=True)
class Visit:
    """Today's visit. ``partner`` names the RelatedPerson who comes along."""

    start: str
    minutes: int
    kind: str
    status: Literal["in-progress", "arrived", "planned"]
    clinician: str = "mara-ellison"
    remote: bool = False
    reason: str = ""
    partner: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A patient. ``story`` says what she is in the sandbox for."""

    id: str
    given: str
    family: str
    gender: Literal["female", "male", "other"]
    birth_date: str
    story: str
    answers: tuple[Answer, ...] = ()
    visit: Visit | None = None
    conditions: tuple[tuple[str, str], ...] = ()
    medications: tuple[tuple[str, str], ...] = ()
    notes: tuple[PastNote, ...] = ()
    scanned_form: bool = False


@dataclass(frozen=True, slots=True)
class Clinician:
    id: str
    prefix: str
    given: str
    family: str
    qualification: str


CLINICIANS = (
    Clinician("mara-ellison", "Dr.", "Mara", "Ellison", "PsyD"),
    Clinician("tomas-vance", "Dr.", "Tomas", "Vance", "MD"),
)

_ALL_GIVEN = tuple(Answer(activity) for activity in ALL)

PEOPLE = (
    Person(
        "ada-marlowe",
        "Ada",
        "Marlowe",
        "female",
        "1988-04-17",
        "All three consents given.",
        _ALL_GIVEN,
        Visit("09:00", 50, "Individual psychotherapy", "in-progress", reason="Worry and sleep, seventh session"),
        (("F41.1", "Generalized anxiety disorder"), ("G47.00", "Insomnia, unspecified")),
        (("Sertraline 50 mg tablet", "One tablet by mouth every morning"),),
        (
            PastNote(
                7,
                "Subjective\nPatient reports five nights of broken sleep and worry about a work review. "
                "Used the breathing exercise on three days.\n\n"
                "Objective\nAlert, cooperative, speech normal in rate. Affect anxious, congruent.\n\n"
                "Assessment\nGeneralized anxiety, somewhat improved since intake.\n\n"
                "Plan\nContinue weekly sessions. Sleep diary until the next visit.",
            ),
            PastNote(
                14,
                "Subjective\nPatient describes worry on most days and trouble falling asleep. Denies panic attacks "
                "since the last visit when asked.\n\n"
                "Objective\nOn time, casually dressed, good eye contact.\n\n"
                "Assessment\nGeneralized anxiety, unchanged.\n\n"
                "Plan\nIntroduce paced breathing. Weekly sessions.",
            ),
        ),
    ),
    Person(
        "bruno-castellan",
        "Bruno",
        "Castellan",
        "male",
        "1975-11-02",
        "AI drafting given, recording refused.",
        (Answer("telehealth"), Answer("recording", "deny"), Answer("ai-drafting")),
        Visit("10:00", 50, "Individual psychotherapy", "arrived", reason="Grief after the death of a parent"),
        (("F43.21", "Adjustment disorder with depressed mood"),),
        notes=(
            PastNote(
                14,
                "Data\nPatient spoke about clearing his father's house. Tearful twice.\n\n"
                "Assessment\nGrief within the expected course.\n\n"
                "Plan\nLetter to his father as homework. Next visit in two weeks.",
            ),
        ),
    ),
    Person(
        "clara-nystrom",
        "Clara",
        "Nyström",
        "female",
        "1999-08-30",
        "Nothing on file: nobody has asked her yet.",
        visit=Visit("11:00", 60, "Intake", "planned", reason="First visit, self-referred"),
    ),
    Person(
        "henry-quill",
        "Henry",
        "Quill",
        "male",
        "1969-01-12",
        "A couple: his partner Iris takes part in the visit. Both gave all consents.",
        _ALL_GIVEN,
        Visit("12:00", 80, "Couple therapy", "planned", reason="Conflict about a move", partner="iris-quill"),
        (("Z63.0", "Problems in relationship with spouse or partner"),),
    ),
    Person(
        "iris-quill",
        "Iris",
        "Quill",
        "female",
        "1971-06-25",
        "Henry's partner, a patient of the practice herself.",
        _ALL_GIVEN,
    ),
    Person(
        "dmitri-okoye",
        "Dmitri",
        "Okoye",
        "male",
        "1982-03-09",
        "Recording and AI drafting refused.",
        (Answer("telehealth"), Answer("recording", "deny"), Answer("ai-drafting", "deny")),
        Visit("13:30", 50, "Individual psychotherapy", "planned", reason="Return to work"),
        (("F32.1", "Major depressive disorder, single episode, moderate"),),
        (("Bupropion XL 150 mg tablet", "One tablet by mouth every morning"),),
    ),
    Person(
        "elena-whitcombe",
        "Elena",
        "Whitcombe",
        "female",
        "1993-12-01",
        "All consents expired last month.",
        tuple(Answer(activity, given_days_ago=400, ends_days=-30) for activity in ALL),
        Visit("14:30", 50, "Individual psychotherapy", "planned", reason="Panic attacks on public transport"),
        (("F40.01", "Agoraphobia with panic disorder"),),
    ),
    Person(
        "farid-johansson",
        "Farid",
        "Johansson",
        "male",
        "1990-07-21",
        "Recording and AI drafting revoked last week.",
        (
            Answer("telehealth"),
            Answer("recording", status="inactive"),
            Answer("ai-drafting", status="inactive"),
        ),
        Visit("15:30", 50, "Individual psychotherapy", "planned", reason="Stress at work"),
        (("F43.0", "Acute stress reaction"),),
    ),
    Person(
        "grace-abernathy",
        "Grace",
        "Abernathy",
        "female",
        "1957-02-14",
        "Only a scanned form that no program can read.",
        visit=Visit("16:30", 50, "Individual psychotherapy", "planned", reason="Caring for a spouse"),
        conditions=(("Z63.6", "Dependent relative needing care at home"),),
        scanned_form=True,
    ),
    Person(
        "jonas-telford",
        "Jonas",
        "Telford",
        "male",
        "2001-10-05",
        "A video visit; all three consents given.",
        _ALL_GIVEN,
        Visit("17:30", 50, "Individual psychotherapy", "planned", remote=True, reason="Social anxiety, video visit"),
        (("F40.10", "Social phobia, unspecified"),),
    ),
    Person(
        "lena-hartwig",
        "Lena",
        "Hartwig",
        "female",
        "1979-05-19",
        "A patient of Dr. Vance; all three consents given.",
        _ALL_GIVEN,
        Visit("09:30", 30, "Medication follow-up", "in-progress", "tomas-vance", reason="Lithium level, mood"),
        (("F31.76", "Bipolar disorder, in full remission, most recent episode depressed"),),
        (("Lithium carbonate ER 450 mg tablet", "One tablet by mouth twice a day"),),
    ),
)
