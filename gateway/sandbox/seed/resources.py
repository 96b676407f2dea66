"""The invented practice as FHIR R4 resources. Pure: the same day and prefix give the same resources.

Order matters: what is pointed at comes first, so that a server that checks references takes them one by one.
"""

from base64 import b64encode
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.seed.people import CLINICIANS, PEOPLE, Answer, PastNote, Person, Visit

CONSENT_ACTIVITY = "https://countersign.dev/fhir/CodeSystem/consent-activity"
MRN_SYSTEM = "https://countersign.dev/fhir/sandbox/mrn"
ACTIVITY_WORDS = {
    "telehealth": "Telehealth",
    "recording": "Recording of the session",
    "ai-drafting": "AI drafting of the note",
}
_V3 = "http://terminology.hl7.org/CodeSystem/v3-"


def build_seed(now: datetime, prefix: str = "") -> list[Resource]:
    """All resources, ids beginning with ``prefix``. ``now`` is aware; its zone is the practice's own."""
    return list(_Practice(now, prefix).build())


def build_consent(answer: Answer, patient: str, organization: str, today: date) -> Resource:
    """One answer of a patient as a Consent without an id; ``patient`` and ``organization`` are references."""
    given = today - timedelta(days=answer.given_days_ago)
    period = {"start": given.isoformat()}
    if answer.ends_days is not None:
        period["end"] = (today + timedelta(days=answer.ends_days)).isoformat()
    coding = {"system": CONSENT_ACTIVITY, "code": answer.activity, "display": ACTIVITY_WORDS[answer.activity]}
    policy = "OPTIN" if answer.type == "permit" else "OPTOUT"
    return {
        **_head_consent(patient, organization, given, answer.status),
        "policyRule": {"coding": [{"system": f"{_V3}ActCode", "code": policy}]},
        "provision": {"type": answer.type, "period": period, "code": [{"coding": [coding]}]},
    }


def _head_consent(patient: str, organization: str, given: date, status: str) -> Resource:
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    return {
        "resourceType": "Consent",
        "status": status,
        "scope": {"coding": [scope]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": patient},
        "dateTime": given.isoformat(),
        "performer": [{"reference": patient}],
        "organization": [{"reference": organization}],
    }


class _Practice:
    def __init__(self, now: datetime, prefix: str) -> None:
        self._now, self._prefix = now, prefix
        self._practice = f"Organization/{prefix}practice"

    def build(self) -> Iterator[Resource]:
        yield {
            "resourceType": "Organization",
            "id": self._id("practice"),
            "active": True,
            "name": "Linden Street Behavioral Health (invented)",
        }
        for id_, name in (("room-2", "Linden Street, room 2"), ("video", "Video visit")):
            yield {
                "resourceType": "Location",
                "id": self._id(id_),
                "status": "active",
                "name": name,
                "managingOrganization": self._to("Organization", "practice"),
            }
        for clinician in CLINICIANS:
            yield {
                "resourceType": "Practitioner",
                "id": self._id(clinician.id),
                "active": True,
                "name": [
                    {
                        "family": clinician.family,
                        "given": [clinician.given],
                        "prefix": [clinician.prefix],
                        "suffix": [clinician.qualification],
                    }
                ],
                "qualification": [{"code": {"text": clinician.qualification}}],
            }
        partners = {person.visit.partner for person in PEOPLE if person.visit}
        for person in PEOPLE:
            if person.id not in partners:  # who comes as a partner points to her own RelatedPerson, below
                yield self._patient(person)
        for person in PEOPLE:
            if person.visit and person.visit.partner:
                yield from self._couple(person, person.visit)
        for person in PEOPLE:
            yield from self._record(person)

    def _record(self, person: Person) -> Iterator[Resource]:
        for answer in person.answers:
            yield {
                **build_consent(answer, f"Patient/{self._id(person.id)}", self._practice, self._now.date()),
                "id": self._id(f"{person.id}-{answer.activity}"),
            }
        if person.scanned_form:
            yield self._scanned_consent(person)
        for code, words in person.conditions:
            yield self._condition(person, code, words)
        for index, (name, dose) in enumerate(person.medications):
            yield self._medication(person, index, name, dose)
        clinician = person.visit.clinician if person.visit else CLINICIANS[0].id
        for note in person.notes:
            start = self._at(self._day(-note.days_ago), person.visit.start if person.visit else "09:00")
            id_ = f"{person.id}-{note.days_ago}d"
            past = Visit("", 50, person.visit.kind if person.visit else "Visit", "planned", clinician)
            yield self._encounter(person, past, id_, start, "finished")
            yield self._note(person, note, id_, start, clinician)
        if person.visit:
            start = self._at(self._day(0), person.visit.start)
            yield self._encounter(person, person.visit, f"{person.id}-today", start, person.visit.status)

    def _patient(self, person: Person) -> Resource:
        return {
            "resourceType": "Patient",
            "id": self._id(person.id),
            "active": True,
            "identifier": [
                {
                    "type": {
                        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}],
                        "text": "MRN",
                    },
                    "system": MRN_SYSTEM,
                    "value": _find_mrn(person),
                }
            ],
            "name": [{"use": "official", "family": person.family, "given": [person.given]}],
            "gender": person.gender,
            "birthDate": person.birth_date,
            "managingOrganization": self._to("Organization", "practice"),
        }

    def _couple(self, person: Person, visit: Visit) -> Iterator[Resource]:
        """The partner as a RelatedPerson, and both as a Group. The partner's own Patient carries her consents."""
        partner = next(one for one in PEOPLE if one.id == visit.partner)
        yield {
            "resourceType": "RelatedPerson",
            "id": self._id(f"{partner.id}-partner"),
            "active": True,
            "identifier": [{"system": MRN_SYSTEM, "value": _find_mrn(partner)}],
            "patient": self._to("Patient", person.id),
            "relationship": [{"coding": [{"system": f"{_V3}RoleCode", "code": "SPS", "display": "spouse"}]}],
            "name": [{"family": partner.family, "given": [partner.given]}],
            "gender": partner.gender,
            "birthDate": partner.birth_date,
        }
        yield {
            **self._patient(partner),
            "link": [{"other": self._to("RelatedPerson", f"{partner.id}-partner"), "type": "seealso"}],
        }
        yield {
            "resourceType": "Group",
            "id": self._id(f"{person.id}-couple"),
            "active": True,
            "type": "person",
            "actual": True,
            "name": f"{person.given} and {partner.given} {person.family}",
            "quantity": 2,
            "member": [{"entity": self._to("Patient", one.id)} for one in (person, partner)],
        }

    def _scanned_consent(self, person: Person) -> Resource:
        """What a program can't read: a form on paper, scanned; what was ticked on it stands in the picture."""
        given = self._day(-90)
        return {
            **_head_consent(f"Patient/{self._id(person.id)}", self._practice, given, "active"),
            "id": self._id(f"{person.id}-form"),
            "sourceAttachment": {
                "contentType": "image/png",
                "title": "Consent form, scanned",
                "data": _SCAN,
                "creation": given.isoformat(),
            },
            "policyRule": {"text": "As ticked on the scanned form"},
            "provision": {"type": "permit", "code": [{"text": "See the scanned form"}]},
        }

    def _condition(self, person: Person, code: str, words: str) -> Resource:
        system = "http://terminology.hl7.org/CodeSystem/condition-"
        return {
            "resourceType": "Condition",
            "id": self._id(f"{person.id}-{code.lower().replace('.', '-')}"),
            "clinicalStatus": {"coding": [{"system": f"{system}clinical", "code": "active"}]},
            "verificationStatus": {"coding": [{"system": f"{system}ver-status", "code": "confirmed"}]},
            "category": [{"coding": [{"system": f"{system}category", "code": "problem-list-item"}]}],
            "code": {
                "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code, "display": words}],
                "text": words,
            },
            "subject": self._to("Patient", person.id),
            "recordedDate": self._day(-200).isoformat(),
        }

    def _medication(self, person: Person, index: int, name: str, dose: str) -> Resource:
        return {
            "resourceType": "MedicationStatement",
            "id": self._id(f"{person.id}-medication-{index + 1}"),
            "status": "active",
            "medicationCodeableConcept": {"text": name},
            "subject": self._to("Patient", person.id),
            "effectivePeriod": {"start": self._day(-150).isoformat()},
            "dosage": [{"text": dose}],
        }

    def _encounter(self, person: Person, visit: Visit, id_: str, start: datetime, status: str) -> Resource:
        end = start + timedelta(minutes=visit.minutes)
        performer = {"coding": [{"system": f"{_V3}ParticipationType", "code": "PPRF"}]}
        clinician = {"type": [performer], "individual": self._to("Practitioner", visit.clinician)}
        partner = [{"individual": self._to("RelatedPerson", f"{visit.partner}-partner")}] if visit.partner else []
        encounter: Resource = {
            "resourceType": "Encounter",
            "id": self._id(id_),
            "status": status,
            "class": {"system": f"{_V3}ActCode", "code": "VR" if visit.remote else "AMB"},
            "type": [{"text": visit.kind}],
            "subject": self._to("Patient", person.id),
            "participant": [clinician, *partner],
            "period": {"start": start.isoformat(), "end": end.isoformat()},
            "location": [{"location": self._to("Location", "video" if visit.remote else "room-2")}],
            "serviceProvider": self._to("Organization", "practice"),
        }
        if visit.reason:
            encounter["reasonCode"] = [{"text": visit.reason}]
        return encounter

    def _note(self, person: Person, note: PastNote, id_: str, start: datetime, clinician: str) -> Resource:
        end = start + timedelta(minutes=50)
        return {
            "resourceType": "DocumentReference",
            "id": self._id(f"{id_}-note"),
            "status": "current",
            "docStatus": "final",
            "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3", "display": "Progress note"}]},
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                            "code": "clinical-note",
                        }
                    ]
                }
            ],
            "subject": self._to("Patient", person.id),
            "date": (end + timedelta(minutes=12)).isoformat(),
            "author": [self._to("Practitioner", clinician)],
            "authenticator": self._to("Practitioner", clinician),
            "content": [
                {
                    "attachment": {
                        "contentType": "text/plain;charset=utf-8",
                        "data": b64encode(note.text.encode()).decode(),
                    }
                }
            ],
            "context": {
                "encounter": [self._to("Encounter", id_)],
                "period": {"start": start.isoformat(), "end": end.isoformat()},
            },
        }

    def _id(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _to(self, type_: str, name: str) -> Resource:
        return {"reference": f"{type_}/{self._id(name)}"}

    def _day(self, days: int) -> date:
        return self._now.date() + timedelta(days=days)

    def _at(self, day: date, clock: str) -> datetime:
        return datetime.combine(day, time.fromisoformat(clock), self._now.tzinfo)


def _find_mrn(person: Person) -> str:
    return f"LS-{1047 + 7 * PEOPLE.index(person)}"


#: A white picture of one pixel, in place of a scan.
_SCAN = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj5gQAAAABJRU5ErkJggg=="
