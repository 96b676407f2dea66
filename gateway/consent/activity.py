"""The three questions about consent. None answers another, and a consent to treatment answers none of them."""

from enum import StrEnum


class Activity(StrEnum):
    """What the patient is asked about."""

    TELEHEALTH = "telehealth"
    RECORDING = "recording"
    AI_DRAFTING = "ai-drafting"

    @property
    def words(self) -> str:
        """As it stands in a sentence."""
        return {"telehealth": "telehealth", "recording": "recording", "ai-drafting": "AI drafting"}[self.value]
