"""Answers into the record: each question a Consent of its own, an older answer of the same people set inactive.

In: what was asked and answered, and the chart that it was decided on. Out: what is now in the record, read back.
A yes is not written where by the engine itself it could not count; a no always is, and first. Whether an activity is
permitted afterwards is decided anew, from the record read again; nothing here makes a permission.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.consent.activity import Activity
from gateway.consent.answer import GivenAnswer, build_consent
from gateway.consent.asking import AskedAnswers, Says, check_answers
from gateway.consent.decision import Permit, Refusal, decide_consent, read_consents
from gateway.consent.provenance import build_answer_provenance
from gateway.consent.provision import Asked, Verdict
from gateway.consent.question import ask
from gateway.consent.reading import Reading
from gateway.consent.rules import ConsentRules
from gateway.consent.storing import SETTLE_SECONDS, end_consent, store_consent
from gateway.consent.wording import Wording
from gateway.ehr.chart import Chart
from gateway.ehr.client import FhirClient
from gateway.ehr.reference import Reference
from gateway.ehr.site import EhrSite
from gateway.errors import ConsentNotTaken, CountersignError, EhrError

# How far the EHR's clock may run ahead for "just now" to be written a little later than ours.
CLOCK_SKEW = timedelta(minutes=2)
_NEW = "new"  # the id of a Consent that is not written yet
UNREAD = (
    "Not every consent in the record could be read, so a yes could not count and was not written. "
    "Let the consents be read again, then ask again."
)
NOT_COUNTED = (
    "By this site's consent rules an answer that Countersign writes would not count, so it was not written. "
    "Tell whoever looks after Countersign."
)


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """One answer as it is in the record.

    Attributes:
        reference: the Consent's, with the version that was read back where the EHR has versions.
        given_at: as it was written; it may lie up to two minutes ahead where the EHR's clock does: it counts from then.
        ended: the older Consents that were set inactive for it.
        provenance: whether the record took one.
    """

    activity: Activity
    says: Says
    reference: str
    given_at: datetime
    ended: tuple[str, ...]
    provenance: bool


@dataclass(frozen=True, slots=True)
class _Sitting:
    client: FhirClient
    chart: Chart
    site: EhrSite
    rules: ConsentRules
    wording: Wording
    asked: AskedAnswers
    now: datetime
    settle_seconds: Sequence[float]


async def write_answers(
    client: FhirClient,
    chart: Chart,
    site: EhrSite,
    rules: ConsentRules,
    wording: Wording,
    asked: AskedAnswers,
    now: datetime,
    new_id: Callable[[], str],
    *,
    settle_seconds: Sequence[float] = SETTLE_SECONDS,
) -> tuple[WrittenAnswer, ...]:
    """Write each answer of one sitting.

    Args:
        chart: its consents just read again: an older one is changed only in the version that stands there.
        wording: what was read with the patient, in the language that was asked in.
        new_id: makes a UUID.
        settle_seconds: the pause before each look for a Consent whose reply was lost, and before each reading.

    Raises:
        ConsentNotTaken: not every answer is in the record. The sentence says which is, and what to do; ``written``
            has the references of those that are.
    """
    checked = check_answers(asked, chart, rules, (wording.language,), now)
    sitting = _Sitting(client, chart, site, rules, wording, checked, now, settle_seconds)
    written: list[WrittenAnswer] = []
    failed: list[CountersignError] = []
    for activity, says in sorted(checked.answers.items(), key=lambda pair: pair[1] == "yes"):
        write = _write_yes if says == "yes" else _write_no
        try:
            written.append(await write(sitting, activity, f"urn:uuid:{new_id()}"))
        except (EhrError, ConsentNotTaken) as error:
            failed.append(error)
    if failed:
        raise _tell_failed(written, failed)
    return tuple(written)


async def _write_no(sitting: _Sitting, activity: Activity, identifier: str) -> WrittenAnswer:
    """The no first; then older yeses are set inactive, where the EHR lets them: the newer no wins over them anyway."""
    given_at = _cut_to_milliseconds(sitting.asked.given_at or sitting.now)
    consent = _build(sitting, activity, "no", given_at, identifier)
    alone = _decide(sitting, activity, (), consent, sitting.now)
    if not isinstance(alone, Refusal) or alone.code != "refused":
        raise ConsentNotTaken("consent.not-counted", NOT_COUNTED, activity.value)
    stored = await _store(sitting, consent)
    ended: list[str] = []
    for old in _list_older(sitting, activity, Verdict.PERMIT):
        try:
            if await end_consent(sitting.client, sitting.chart, old.consent):
                ended.append(old.reference)
        except (EhrError, ConsentNotTaken):
            continue
    return await _conclude(sitting, activity, "no", stored, given_at, ended)


async def _write_yes(sitting: _Sitting, activity: Activity, identifier: str) -> WrittenAnswer:
    """Older noes of the same people are set inactive first; a yes that could not count beside them is not written."""
    given_at = _cut_to_milliseconds(sitting.asked.given_at or _choose_moment(sitting, activity))
    consent = _build(sitting, activity, "yes", given_at, identifier)
    at = max(sitting.now, given_at)
    older = _list_older(sitting, activity, Verdict.DENY)
    ended: list[Reading] = []
    _require_yes(sitting, activity, consent, older, at)
    try:
        for one in older:
            if await end_consent(sitting.client, sitting.chart, one.consent):
                ended.append(one)
        _require_yes(sitting, activity, consent, ended, at)
        stored = await _store(sitting, consent)
    except (EhrError, ConsentNotTaken) as error:
        if not ended:
            raise
        names = ", ".join(one.reference for one in ended)
        words = (
            f"The older no to {activity.words} ({names}) is no longer in force, and the yes is not in the record yet."
        )
        raise ConsentNotTaken(error.code, f"{words} {error.public}", error.detail) from error
    return await _conclude(sitting, activity, "yes", stored, given_at, [one.reference for one in ended])


def _decide(
    sitting: _Sitting,
    activity: Activity,
    there: Sequence[Mapping[str, Any]],
    new: Mapping[str, Any],
    at: datetime,
    problems: Sequence[str] = (),
) -> Permit | Refusal:
    """What would be decided with the new Consent in the record beside those that are there."""
    question = ask(activity, sitting.chart, sitting.site, sitting.rules, at)
    readings = read_consents([*there, {**new, "id": _NEW}], sitting.rules)
    return decide_consent(readings, problems, question, sitting.rules)


def _build(sitting: _Sitting, activity: Activity, says: Says, given_at: datetime, identifier: str) -> dict[str, Any]:
    chart = sitting.chart
    answer = GivenAnswer(
        activity,
        "permit" if says == "yes" else "deny",
        performer=sitting.asked.performer,
        given_at=given_at,
        identifier=identifier,
        organization=chart.encounter.organization if chart.encounter else "",
    )
    return build_consent(answer, chart.patient.reference)


def _choose_moment(sitting: _Sitting, activity: Activity) -> datetime:
    """Now, or a little later where the EHR's clock runs ahead: later than all that the record says of this question."""
    spans = (
        span
        for one in read_consents(sitting.chart.consents, sitting.rules)
        if activity in one.about
        for span in (one.given, one.written)
        if span is not None
    )
    latest = max((span.latest_end for span in spans), default=sitting.now)
    if not sitting.now < latest <= sitting.now + CLOCK_SKEW:
        return sitting.now
    return latest + timedelta(milliseconds=1)


def _cut_to_milliseconds(moment: datetime) -> datetime:
    """As it is written."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _list_older(sitting: _Sitting, activity: Activity, verdict: Verdict) -> list[Reading]:
    """What these people answered before, to this question and no other, and is in force now."""
    if not sitting.site.consent.change:
        return []
    question = ask(activity, sitting.chart, sitting.site, sitting.rules, sitting.now)
    found = []
    for one in read_consents(sitting.chart.consents, sitting.rules):
        theirs = one.performers == {sitting.asked.performer} and one.about == {activity}
        if one.status != "active" or one.unclear or not theirs:
            continue
        if verdict is Verdict.DENY and one.may_have_permitted(activity):
            continue  # a yes with an exception is not ended for the exception's sake
        verdicts = {one.judge(Asked(question, purpose, None, sitting.now)) for purpose in question.purposes}
        if verdict in verdicts:
            found.append(one)
    return found


def _require_yes(
    sitting: _Sitting, activity: Activity, new: Mapping[str, Any], ended: Sequence[Reading], at: datetime
) -> None:
    """Raises ConsentNotTaken where the yes could not count with these ended, naming what stands against it."""
    if not isinstance(_decide(sitting, activity, (), new, at), Permit):
        raise ConsentNotTaken("consent.not-counted", NOT_COUNTED, activity.value)
    chart = sitting.chart
    gone = [one.consent for one in ended]
    there = [one | {"status": "inactive"} if one in gone else one for one in chart.consents]
    foreseen = _decide(sitting, activity, there, new, at, chart.consent_problems)
    if isinstance(foreseen, Permit):
        return
    detail = f"{activity.value} {foreseen.code}"
    if chart.consent_problems and foreseen.code == "unreadable":
        raise ConsentNotTaken("consent.stays-no", UNREAD, detail)
    others = [one for one in foreseen.grounds if one.effect != "permit"]
    against = [one for one in others if one.effect != "ignored"] or others
    words = (
        f"In the record {', '.join(one.reference for one in against)} would still stand against a yes to "
        f"{activity.words}, so it was not written. Have that changed in the EHR, then ask again."
    )
    if sitting.asked.given_at is not None:
        words += " If the answer is newer than that, correct its moment."
    raise ConsentNotTaken("consent.stays-no", words, detail)


async def _store(sitting: _Sitting, consent: Mapping[str, Any]) -> Reference:
    conditional = sitting.site.note.conditional_create
    return await store_consent(
        sitting.client,
        sitting.chart,
        consent,
        conditional_create=conditional,
        settle_seconds=sitting.settle_seconds,
    )


async def _conclude(
    sitting: _Sitting, activity: Activity, says: Says, stored: Reference, given_at: datetime, ended: Sequence[str]
) -> WrittenAnswer:
    """Say how it came about, once and without insisting: the Consent stands without it."""
    reference = str(stored) + (f"/_history/{stored.version}" if stored.version else "")
    provenance = False
    if sitting.site.note.provenance:
        beside = build_answer_provenance(
            reference, sitting.asked, given_at, sitting.wording, sitting.chart, max(sitting.now, given_at)
        )
        try:
            await sitting.client.create(beside)
            provenance = True
        except EhrError:
            provenance = False
    return WrittenAnswer(activity, says, reference, given_at, tuple(ended), provenance)


def _tell_failed(written: Sequence[WrittenAnswer], failed: Sequence[CountersignError]) -> ConsentNotTaken:
    """One error for all that failed, each sentence once, after what is in the record."""
    sentences = [f"In the record: the {one.says} to {one.activity.words} ({one.reference})." for one in written]
    sentences += dict.fromkeys(one.public for one in failed)
    first = failed[0]
    return ConsentNotTaken(first.code, " ".join(sentences), first.detail, tuple(one.reference for one in written))
