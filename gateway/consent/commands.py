"""``countersign consent``: try a site's rules on Consents before a patient's visit rests on them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gateway.consent.decision import Activity, Permit, Question, Refusal, decide_consent, read_consents
from gateway.consent.question import find_majority
from gateway.consent.reading import Reading
from gateway.consent.rules import ConsentRules, read_rules
from gateway.ehr.dates import parse_date
from gateway.errors import ConfigurationError
from gateway.settings import read_settings

app = typer.Typer(
    name="consent",
    no_args_is_help=True,
    rich_markup_mode=None,
    short_help="Try consent rules on Consent resources.",
    help="Consent: which of a patient's Consent resources permit telehealth, recording and AI drafting, and why.\n\n"
    "config/consent/<id>.toml says which codings answer which question; a missing answer is a no.",
)

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="JSON: a Consent, a list of them, or a Bundle; invented ones")
]


@app.callback()
def consent() -> None:
    """Keeps ``explain`` a command of its own."""


@app.command("explain", short_help="Print what Consents permit, and why.")
def explain_consents(
    files: Files,
    rules: Annotated[str, typer.Option(help="which file of config/consent")] = "default",
    patient: Annotated[str, typer.Option(help="whose: Patient/…; else the first Consent's")] = "",
    actor: Annotated[list[str] | None, typer.Option(help="who acts: Practitioner/…, Organization/…, Device/…")] = None,
    born: Annotated[str, typer.Option(help="the patient's birth date; else taken to be of age")] = "",
    at: Annotated[str, typer.Option(help="the moment, as 2026-11-23T15:00:00Z; else now")] = "",
) -> None:
    """Decide the three questions on Consent resources in files, by a site's rules, and print each reason.

    Nothing is read from an EHR and nothing is kept. Every Consent of the patient belongs into the call: what is
    missing here can't say no.

    \b
    Examples:
      countersign consent explain fhir_profiles/examples/Consent-*.json
      countersign consent explain consents.json --rules county --born 2012-04 --actor Practitioner/7
    """
    site_rules = _read_rules(rules)
    consents = [consent for file in files for consent in _read_file(file)]
    readings = read_consents(consents, site_rules)
    whose = patient or next((one.patient for one in readings if one.patient), "Patient/unknown")
    moment = _read_moment(at)
    answers = [
        decide_consent(readings, (), _ask(activity, whose, actor or [], born, moment, site_rules), site_rules)
        for activity in Activity
    ]
    console = Console(width=max(Console().width, 100))
    console.print(f"{len(readings)} Consents, {whose}, {moment:%Y-%m-%d %H:%M} UTC, rules: {site_rules.id}\n")
    console.print(_draw_answers(answers))
    console.print()
    console.print(_draw_grounds(answers, readings))


def _ask(
    activity: Activity, patient: str, actors: Sequence[str], born: str, at: datetime, rules: ConsentRules
) -> Question:
    return Question(
        activity=activity,
        at=at,
        patient=patient,
        actors=frozenset(actors or ["Practitioner/unknown"]),
        purposes=rules.purpose_codes,
        majority=find_majority(born, rules) if born else None,
    )


def _draw_answers(answers: Sequence[Permit | Refusal]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("question", "answer", "why", "until"):
        table.add_column(column, no_wrap=column != "why")
    for answer in answers:
        until = f"{answer.until:%Y-%m-%d %H:%M} UTC" if isinstance(answer, Permit) and answer.until else ""
        kind = "yes" if isinstance(answer, Permit) else f"no ({answer.code})"
        table.add_row(answer.activity.value, kind, answer.words, until)
    return table


def _draw_grounds(answers: Sequence[Permit | Refusal], readings: Sequence[Reading]) -> Table:
    """Each Consent that mattered, by question; then those that mattered to none."""
    table = Table(box=None, pad_edge=False)
    for column in ("question", "counts as", "what it says"):
        table.add_column(column, no_wrap=column != "what it says")
    seen = set()
    for answer in answers:
        for ground in answer.grounds:
            seen.add(ground.reference)
            counts = {"unclear": "no", "deny": "no", "permit": "yes", "ignored": "nothing"}[ground.effect]
            table.add_row(answer.activity.value, counts, ground.words)
    for reading in readings:
        if reading.reference not in seen:
            table.add_row("none", "nothing", f"{reading.reference} speaks of none of the three.")
    return table


def _read_rules(name: str) -> ConsentRules:
    folder = read_settings().config_dir / "consent"
    known = read_rules(folder)
    if name not in known:
        raise ConfigurationError(folder / f"{name}.toml", "", f"is missing; there are {', '.join(sorted(known))}")
    return known[name]


def _read_file(file: Path) -> list[Any]:
    """The Consents of a file.

    Raises:
        ConfigurationError: it can't be read, or holds none.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(file, "", f"can't be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(file, "", "is not JSON") from error
    if isinstance(data, list):
        return data
    if isinstance(data, dict) and data.get("resourceType") == "Bundle":
        entries = data.get("entry", [])
        return [one.get("resource") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    if isinstance(data, dict) and data.get("resourceType") == "Consent":
        return [data]
    raise ConfigurationError(file, "", "holds no Consent; give a Consent, a list of them, or a Bundle")


def _read_moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    span = parse_date(text)
    if span is None or not span.precise:
        raise ConfigurationError("--at", "", "is no moment with a time zone; write it as 2026-11-23T15:00:00Z")
    return span.earliest_start
