"""Which language a visit is expected to be held in."""

from typing import Any

import pytest

from gateway.ehr.language import expect_language
from tests.unit.ehr.conftest import make_site


def speak(code: object, system: str = "urn:ietf:bcp:47", **more: Any) -> dict[str, Any]:
    return {"language": {"coding": [{"system": system, "code": code}]}, **more}


@pytest.mark.parametrize("language", ["en", "es", "pt-BR", "zh-Hant-TW"])
def test_a_sites_own_language_is_that_of_every_visit(language):
    patient = {"communication": [speak("de", preferred=True)]}
    assert expect_language(patient, make_site(note={"language": language})) == language
    assert expect_language(patient, make_site()) == "en"


@pytest.mark.parametrize(
    ("communication", "language"),
    [
        ([speak("en"), speak("es-MX", preferred=True)], "es-MX"),
        ([speak("es"), speak("fr", preferred=False)], "en"),
        ([speak("es")], "en"),
        ([], "en"),
        (None, "en"),
        ("es", "en"),
        ([{"language": {"text": "Spanish"}, "preferred": True}], "und"),
        ([speak("spa", system="urn:iso:std:iso:639:-2", preferred=True)], "und"),
        ([speak("not a tag", preferred=True)], "und"),
        ([speak(None, preferred=True)], "und"),
        ([{"preferred": True}], "und"),
        ([{"language": {"text": "?"}, "preferred": True}, speak("es", preferred=True)], "es"),
        (
            [{"language": {"coding": ["?", {"code": "x"}, speak("yue")["language"]["coding"][0]]}, "preferred": True}],
            "yue",
        ),
    ],
)
def test_the_charts_language_is_the_one_that_the_patient_prefers(communication, language):
    patient = {"communication": communication}
    assert expect_language(patient, make_site(note={"language": "chart"})) == language
    assert expect_language({}, make_site(note={"language": "chart"})) == "en"
