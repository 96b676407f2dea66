"""In which language a visit is held, and whether an AI draft may be made of it.

In: what the site or the chart expects, what is heard, what was typed. Out: the language of the material, and for the
page why there is no AI draft. Where a language has no reviewed risk and evidence data, nothing would find a risk that
was missed or a sentence that was made up: so no model drafts. Pure.
"""

from dataclasses import dataclass

from gateway.ehr.language import ENGLISH, UNDETERMINED
from gateway.errors import DraftError
from gateway.note.risk import RiskRules
from gateway.visit.contents import Contents

NAMES = {"en": "English", "es": "Spanish", "fr": "French", "de": "German", "pt": "Portuguese"}


@dataclass(frozen=True, slots=True)
class VisitLanguage:
    """``code`` (BCP 47) is the material's; ``heard`` what is spoken or typed where that is not what was expected."""

    code: str
    heard: str | None
    drafting: bool
    words: str = ""

    def require_drafting(self) -> None:
        """Raises DraftError: there is no AI draft in this language."""
        if not self.drafting:
            raise DraftError("draft.language", self.words)


def find_language(contents: Contents, rules: RiskRules) -> VisitLanguage:
    """What is heard counts before what was expected; of speech and typed text, the one without reviewed data."""
    expected = contents.chart.language if contents.chart else ENGLISH
    found = [one for one in (contents.heard_language, contents.typed_language) if one is not None]
    code = next((one for one in found if not rules.covers(one)), next(iter(found), expected))
    heard = code if _get_primary(code) != _get_primary(expected) else None
    if rules.covers(code):
        return VisitLanguage(expected if heard is None else code, heard, drafting=True)
    how = "What was said or typed seems to be" if code in found else "This visit is expected to be"
    return VisitLanguage(
        code,
        heard,
        drafting=False,
        words=f"{how} in {_name(code)}. There is no reviewed risk and evidence data for it here, so there is no AI "
        "draft: choose “Write without AI”.",
    )


def _get_primary(tag: str) -> str:
    return tag.split("-")[0].lower()


def _name(tag: str) -> str:
    if tag == UNDETERMINED:
        return "a language that is not known here"
    return NAMES.get(_get_primary(tag), f"the language “{tag}”")
