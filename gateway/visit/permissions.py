"""Decides the three questions for one visit, for everyone in the room, and has each decision logged.

In: what the record gave (``Chart``), what the others answered, the site's rules. Out: ``Contents.own`` and
``Contents.consents``, and which activities are permitted. A yes waits for its log entry; a no never does.
"""

from collections.abc import Mapping
from datetime import datetime

from gateway.consent.decision import Activity, Permit, Refusal, accept_attested, ask, decide_consent, read_consents
from gateway.consent.room import decide_together
from gateway.consent.rules import ConsentRules
from gateway.ehr.chart import Chart, reread_consents
from gateway.ehr.client import FhirClient
from gateway.ehr.site import EhrSite
from gateway.errors import EhrUnreachable
from gateway.visit.contents import Contents
from gateway.visit.door import Door

Answer = Permit | Refusal
UNREAD = "The patient's consents could not be read again, so nothing was started. Try again in a moment."


def list_permitted(answers: Mapping[Activity, Answer]) -> frozenset[Activity]:
    return frozenset(activity for activity, answer in answers.items() if isinstance(answer, Permit))


def find_end(answers: Mapping[Activity, Answer]) -> datetime | None:
    """The first moment at which one of the permits ends; None: none does."""
    ends = [answer.until for answer in answers.values() if isinstance(answer, Permit) and answer.until]
    return min(ends, default=None)


async def reread(client: FhirClient, contents: Contents, chart: Chart, now: datetime) -> Chart:
    """The chart with Consent read again.

    Raises:
        EhrUnreachable: not all of it could be read; the answers stay as they were.
    """
    again = await reread_consents(client, chart, now, contents.written)
    if set(again.consent_problems) - set(chart.consent_problems):
        raise EhrUnreachable("consent.unread", UNREAD)
    return again


class Decider:
    """One visit's decisions on consent."""

    def __init__(self, site: EhrSite, rules: ConsentRules, door: Door) -> None:
        self._site = site
        self._rules = rules
        self._door = door

    async def decide(self, contents: Contents, now: datetime, needed: frozenset[Activity] = frozenset()) -> None:
        """Decide all three from what ``contents`` holds, log them, and put the answers into it.

        Args:
            needed: what must be permitted for what is going on. Where it is not, nothing waits for the log.

        Raises:
            LedgerError: the log can't be written; the answers stay as they were.
        """
        chart = contents.chart
        assert chart is not None
        rules = self._rules
        readings = read_consents(chart.consents, rules)
        own: dict[Activity, Answer] = {
            activity: decide_consent(
                readings, chart.consent_problems, ask(activity, chart, self._site, rules, now), rules
            )
            for activity in Activity
        }
        for activity, attested in contents.attested.items():
            own[activity] = accept_attested(own[activity], attested, rules)
        together = {activity: decide_together(answer, contents.people, rules, now) for activity, answer in own.items()}
        if needed <= list_permitted(together):
            for answer in together.values():
                await self._door.log(*self._entry(answer))
            contents.own, contents.consents = own, together
            return
        contents.own, contents.consents = own, together
        for answer in together.values():
            await self._door.owe(*self._entry(answer))

    def _entry(self, answer: Answer) -> tuple[str, str, Mapping[str, int | str], list[str]]:
        outcome = "permit" if isinstance(answer, Permit) else f"refusal.{answer.code}"
        counted = [ground.reference for ground in answer.grounds]
        codes: Mapping[str, int | str] = {
            "activity": answer.activity.value,
            "grounds": len(counted),
            "rules": self._rules.version,
        }
        return "visit:consent:decide", outcome, codes, counted
