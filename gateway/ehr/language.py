"""Which language a visit is expected to be held in: the site's, or the one that the patient prefers.

In: the raw Patient and the site. Out: a BCP 47 tag. What is then heard is another question, and so is for which
languages there is reviewed data.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway.ehr.naming import clean_text, list_objects
from gateway.ehr.site import EhrSite

ENGLISH = "en"
UNDETERMINED = "und"  # BCP 47 (RFC 5646, 4.1): a language that is not known
_SYSTEM = "urn:ietf:bcp:47"  # R4, Patient.communication.language is bound to the codes of this system
_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def expect_language(patient: Mapping[str, Any], site: EhrSite) -> str:
    """The visit's language: as the site's file names it, or as the patient's record has it.

    Where the record has no language that she prefers, it is English; where it has one that no code names, nobody knows.
    """
    if site.note.language != "chart":
        return site.note.language
    preferred = [one for one in list_objects(patient.get("communication")) if one.get("preferred") is True]
    tags = (tag for one in preferred for tag in _list_tags(one.get("language")))
    return next(tags, UNDETERMINED if preferred else ENGLISH)


def _list_tags(concept: object) -> list[str]:
    codings = list_objects(concept.get("coding")) if isinstance(concept, Mapping) else []
    codes = [clean_text(one.get("code")) for one in codings if one.get("system") == _SYSTEM]
    return [code for code in codes if _TAG.fullmatch(code)]
