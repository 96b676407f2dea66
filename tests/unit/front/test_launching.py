"""The launch desk's own part: what it says about a grant that is smaller than the site's file wants."""

import logging
from datetime import UTC, datetime

import pytest

from gateway.ehr.context import admit_launch
from gateway.ehr.site import EhrSite
from gateway.ehr.smart import Launched
from gateway.ehr.tokens import Tokens
from gateway.front.launching import Expected, LaunchDesk, wanted_scopes

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def make_site(medications: str = "none", **consent: object) -> EhrSite:
    client = {"id": "c", "scopes": "launch patient/MedicationStatement.rs"}
    given = {"id": "north", "name": "EHR", "issuer": "https://ehr.test/fhir", "client": client}
    return EhrSite.model_validate({**given, "consent": consent, "chart": {"medications": medications}})


class Granting:
    """A launcher whose every launch holds, with these scopes."""

    def __init__(self, *scopes: str) -> None:
        self.scopes = scopes

    async def complete_launch(self, params, browser_secret):
        message = {"site_id": "north", "patient_id": "p1", "encounter_id": None, "practitioner": "Practitioner/1"}
        rest = {"subject": "s", "scopes": list(self.scopes), "need_patient_banner": True, "intent": ""}
        return Launched(admit_launch({**message, **rest}), Tokens("t", None, None, self.scopes))


@pytest.fixture
def complete(caplog):
    """Launches that many times; what the log says of it."""

    async def run(site: EhrSite, *scopes: str, times: int = 1) -> list[str]:
        caplog.set_level(logging.INFO)
        desk = LaunchDesk(Granting(*scopes), "https://notes.test/callback", 10, lambda: NOW)
        for _ in range(times):
            desk._expected["state"] = Expected(site, "secret", NOW)
            await desk.complete("state", {})
        return [record.getMessage() for record in caplog.records if record.name == "countersign.launch"]

    return run


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, ()),
        ({"answers": "attest"}, ()),
        ({"answers": "write"}, ("patient/Consent.c", "patient/Consent.u")),
        ({"answers": "write", "change": False}, ("patient/Consent.c",)),
        ({"audit_events": True}, ("patient/AuditEvent.c",)),
        ({"medications": "MedicationStatement"}, ("patient/MedicationStatement.s",)),
    ],
)
def test_what_a_site_wants_done_takes_scopes(said, wanted):
    assert wanted_scopes(make_site(**said)) == wanted


async def test_a_smaller_grant_is_said_once_and_the_launch_holds(complete):
    site = make_site(answers="write", audit_events=True)
    said = await complete(site, "patient/Consent.crs", times=3)
    assert said == ["launch.scopes.lacking site=north scopes=patient/Consent.u,patient/AuditEvent.c"]


@pytest.mark.parametrize(
    "scopes",
    [
        ("patient/Consent.crus", "user/AuditEvent.c"),
        ("user/Consent.cu", "patient/AuditEvent.c"),
        ("patient/*.write",),
    ],
)
async def test_a_grant_that_is_enough_is_not_spoken_of(complete, scopes):
    assert await complete(make_site(answers="write", audit_events=True), *scopes) == []
