"""An invented visit and its approved note, in every variety that the gateway files. Nobody in it exists."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.consent.activity import Activity
from gateway.consent.decision import MAKER as CONSENT_MAKER
from gateway.consent.decision import Ground, Permit
from gateway.ehr.chart import MAKER as CHART_MAKER
from gateway.ehr.chart import Chart, EncounterSummary, PatientSummary, PractitionerSummary
from gateway.ehr.context import admit_launch
from gateway.ehr.naming import Identifier
from gateway.ehr.site import Client, EhrSite, Note
from gateway.filing.text import VisitFacts
from gateway.note.evidence import MAKER as EVIDENCE_MAKER
from gateway.note.evidence import CheckedDraft, CheckedStatement, Verdict
from gateway.note.formats import read_formats
from gateway.note.review import ApprovedNote, Decision, approve_note, decide_section, open_review
from gateway.note.statement import DrafterInfo, Origin, Statement

SOAP = read_formats(Path(__file__).parents[3] / "config" / "formats")["soap"]
EHR = "http://127.0.0.1:9000/fhir"
ATTESTED = datetime(2026, 11, 23, 17, 5, tzinfo=UTC)
STARTED = datetime(2026, 11, 23, 16, 40, tzinfo=UTC)
IDENTIFIER = "urn:uuid:0d3f6a52-5a0e-4c5e-9a51-1f0f3f3f7a10"

MODEL = DrafterInfo("model", "Invented text model 1.5B", "a" * 64, "b" * 64, "c" * 64)
OUTLINE = DrafterInfo("outline", "Outline (no text model)", prompt_sha256="b" * 64, format_sha256="c" * 64)
NONE = DrafterInfo("none", "Written by the clinician, without AI")
DRAFTERS: Mapping[str, DrafterInfo] = {"model": MODEL, "outline": OUTLINE, "none": NONE}

ENCOUNTER = EncounterSummary(
    id="invented-encounter",
    status="finished",
    class_code="AMB",
    start="2026-11-23T09:00:00-07:00",
    end="2026-11-23T09:50:00-07:00",
    kind="Individual psychotherapy",
    service="",
    location="Linden Street, room 2",
    participants=("Dr. Mara Ellison PsyD",),
    organization="Organization/invented-practice",
)


def make_site(**note: Any) -> EhrSite:
    return EhrSite(id="invented", name="Invented EHR", issuer=EHR, client=Client(id="countersign"), note=Note(**note))


def make_chart(
    encounter: EncounterSummary | None = ENCOUNTER,
    *,
    patient_id: str = "invented-patient",
    patient_name: str = "Ada Marlowe",
    birth_date: str = "1988-04-17",
    clinician: str = "Dr. Mara Ellison PsyD",
    practitioner: str = "Practitioner/invented-clinician",
) -> Chart:
    context = admit_launch(
        {
            "site_id": "invented",
            "patient_id": patient_id,
            "encounter_id": encounter.id if encounter else None,
            "practitioner": practitioner,
            "subject": "mara",
            "scopes": [],
            "need_patient_banner": True,
            "intent": "",
        }
    )
    return Chart(
        CHART_MAKER,
        context=context,
        issuer=EHR,
        patient=PatientSummary(patient_id, patient_name, birth_date, "female", (Identifier("MRN", "LS-1047"),)),
        encounter=encounter,
        encounter_choices=(),
        may_have_no_encounter=True,
        practitioner=PractitionerSummary(practitioner, clinician),
        consents=(),
        consent_problems=(),
        related=(),
        read=(),
        telehealth="no",
    )


def make_encounter(**changes: Any) -> EncounterSummary:
    return replace(ENCOUNTER, **changes)


def make_facts(*sources: str, telehealth: str = "no", permitted: tuple[Activity, ...] = (), **more: Any) -> VisitFacts:
    return VisitFacts(STARTED, telehealth, sources, tuple(make_permit(one) for one in permitted), **more)


def make_permit(activity: Activity) -> Permit:
    grounds = (Ground("Consent/invented", "permit", "says yes"),)
    return Permit(CONSENT_MAKER, activity, grounds, "The patient said yes.", STARTED, None, "default")


def make_note(
    kind: str = "model",
    text: str = "The patient sleeps five hours a night since March.",
    *,
    clinician: str = "Practitioner/invented-clinician",
    attested_at: datetime = ATTESTED,
    lines_settled: int = 0,
) -> ApprovedNote:
    """Two sections with words (the second edited), one empty, one struck; through the review, as every note."""
    drafter = DRAFTERS[kind]
    statement = Statement(1, "subjective", "The patient sleeps badly.", Origin.MODEL)
    checked = CheckedStatement(EVIDENCE_MAKER, statement, "subjective", Verdict.SUPPORTED, (1,))
    unsaid = replace(statement, number=2, section="plan", text="Start a medicine.")
    withheld = CheckedStatement(EVIDENCE_MAKER, unsaid, "plan", Verdict.UNSUPPORTED, (), "nobody said so")
    line = Segment(1, Source.DICTATION, Speaker.CLINICIAN, "Sleeps badly.", settled=True)
    material = gather_material([line] * lines_settled)
    drafted = ((checked,), (withheld,)) if kind != "none" else ((), ())
    review = open_review(CheckedDraft(EVIDENCE_MAKER, SOAP.id, *drafted, drafter), SOAP, material)
    review = decide_section(review, "subjective", Decision.EDITED, text)
    review = decide_section(review, "objective", Decision.ACCEPTED)
    review = decide_section(review, "assessment", Decision.STRUCK)
    review = decide_section(review, "plan", Decision.EDITED, "Sleep diary until the next visit.")
    return approve_note(review, True, clinician, attested_at)


VARIETIES: Mapping[str, tuple[str, VisitFacts]] = {
    "dictated": ("model", make_facts("dictation", permitted=(Activity.AI_DRAFTING,))),
    "dictated-outline": ("outline", make_facts("dictation", permitted=(Activity.AI_DRAFTING,))),
    "typed": ("model", make_facts("typed notes", permitted=(Activity.AI_DRAFTING,))),
    "typed-outline": ("outline", make_facts("typed notes", permitted=(Activity.AI_DRAFTING,))),
    "telehealth": (
        "model",
        make_facts("dictation", "typed notes", telehealth="yes", permitted=(Activity.AI_DRAFTING, Activity.TELEHEALTH)),
    ),
    "without-ai": ("none", make_facts()),
}
"""By name: the drafter's kind and the visit's facts."""
LATER = ATTESTED + timedelta(minutes=1)
