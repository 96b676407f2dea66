"""``countersign consent``: try a site's rules on Consents before a patient's visit rests on them.

In: Consent files, or a patient of a configured EHR. Out: two tables, the answers and what each rests on. It never
reads an EHR by itself: who builds the command line says how.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gateway.consent.decision import Activity, Permit, Question, Refusal, decide_consent, read_consents
from gateway.consent.question import Related, find_majority, read_related
from gateway.consent.reading import Reading
from gateway.consent.record import ConsentRecord
from gateway.consent.rules import ConsentRules, read_rules
from gateway.ehr.dates import parse_date
from gateway.ehr.reference import is_id
from gateway.ehr.site import EhrSite, read_sites
from gateway.errors import ConfigurationError
from gateway.settings import Settings, read_settings

#: Reads a patient's Consents from a configured EHR, with the entry in the ledger that this needs.
ReadRecord = Callable[[Settings, EhrSite, str], ConsentRecord]

Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE", help="JSON: a Consent, a list of them, or a Bundle; invented ones"),
]
Ehr = Annotated[str, typer.Option(metavar="SITE", help="in place of files: read them from the EHR of config/ehrs")]
Rules = Annotated[str, typer.Option(help="which file of config/consent; else the EHR's own, or default")]
Whose = Annotated[
    str, typer.Option(metavar="ID", help="whose: the Patient's id in the EHR; with files else the first Consent's")
]
Actors = Annotated[
    list[str] | None,
    typer.Option(help="who acts: Practitioner/…, Organization/…, Device/…; beside the EHR file's acting_as"),
]
Born = Annotated[str, typer.Option(help="the birth date; else the EHR's, or with files taken to be of age")]
Moment = Annotated[str, typer.Option(help="the moment, as 2026-11-23T15:00:00Z; else now")]


@dataclass(frozen=True, slots=True)
class _Stack:
    """One patient's Consents and what a decision on them takes, wherever they come from."""

    whose: str
    consents: Sequence[Any]
    actors: tuple[str, ...] = ()
    born: str = ""
    related: Mapping[str, Related] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def create_consent_app(read_record: ReadRecord) -> typer.Typer:
    """``countersign consent``.

    Args:
        read_record: for ``--ehr``; nothing else here reaches an EHR or the ledger.
    """
    app = typer.Typer(
        name="consent",
        no_args_is_help=True,
        rich_markup_mode=None,
        short_help="Try consent rules on Consent resources.",
        help="Consent: which of a patient's Consent resources permit telehealth, recording and AI drafting, and why."
        "\n\nconfig/consent/<id>.toml says which codings answer which question; a missing answer is a no.",
    )

    @app.callback()
    def consent() -> None:
        """Keeps ``explain`` a command of its own."""

    @app.command("explain", short_help="Print what Consents permit, and why.")
    def explain_consents(
        files: Files = None,
        ehr: Ehr = "",
        patient: Whose = "",
        rules: Rules = "",
        actor: Actors = None,
        born: Born = "",
        at: Moment = "",
    ) -> None:
        """Decide the three questions on Consent resources, by a site's rules, and print each reason.

        With files nothing is read from an EHR. Every Consent of the patient belongs into the call: what is missing
        here can't say no.

        With --ehr and --patient, the Consents and RelatedPersons of a patient of that EHR are read by its backend
        client (system/Patient.r system/Consent.rs system/RelatedPerson.rs), and the ledger says so. Where a gateway
        runs on the same state_dir it does the reading. Nothing is kept. Try a test patient.

        \b
        Examples:
          countersign consent explain fhir_profiles/examples/Consent-*.json
          countersign consent explain consents.json --rules county --born 2012-04 --actor Practitioner/7
          countersign consent explain --ehr sandbox --patient ada-marlowe --actor Practitioner/mara-ellison
        """
        settings, moment = read_settings(), _read_moment(at)
        if bool(files) == bool(ehr):
            raise ConfigurationError("consent explain", "", "takes either files, or --ehr with --patient")
        site = _find_site(settings, ehr) if ehr else None
        site_rules = _read_rules(settings, rules or (site.consent_rules if site else "default"))
        stack = _read_ehr(settings, read_record, site, patient) if site else _read_files(files or [], patient)
        readings = read_consents(stack.consents, site_rules)
        whose = stack.whose or next((one.patient for one in readings if one.patient), "Patient/unknown")
        actors = frozenset([*stack.actors, *(actor or [])] or ["Practitioner/unknown"])
        birth_date = born or stack.born
        answers = [
            decide_consent(
                readings,
                stack.problems,
                Question(
                    activity=activity,
                    at=moment,
                    patient=whose,
                    actors=actors,
                    purposes=site_rules.purpose_codes,
                    majority=find_majority(birth_date, site_rules) if birth_date or ehr else None,
                    related=stack.related,
                ),
                site_rules,
            )
            for activity in Activity
        ]
        console = Console(width=max(Console().width, 100))
        there = f" at {ehr}" if ehr else ""
        head = f"{len(readings)} Consents, {whose}{there}, {moment:%Y-%m-%d %H:%M} UTC, rules: {site_rules.id}\n"
        console.print(head, highlight=False)
        console.print(_draw_answers(answers))
        console.print()
        console.print(_draw_grounds(answers, readings))

    return app


def _find_site(settings: Settings, ehr: str) -> EhrSite:
    """Raises:
    ConfigurationError: there is no such EHR, or it has no backend client.
    """
    folder = settings.config_dir / "ehrs"
    sites = read_sites(folder)
    if ehr not in sites:
        known = ", ".join(sorted(sites)) or "none"
        raise ConfigurationError(folder / f"{ehr}.toml", "", f"is missing; there are {known}")
    if sites[ehr].backend is None:
        reason = "is missing: only a Backend Services client may read without a launch (docs/integrators.md)"
        raise ConfigurationError(folder / f"{ehr}.toml", "backend", reason)
    return sites[ehr]


def _read_ehr(settings: Settings, read_record: ReadRecord, site: EhrSite, patient: str) -> _Stack:
    """Raises:
    ConfigurationError: the patient is not named.
    CountersignError: she could not be read.
    """
    patient_id = patient.removeprefix("Patient/")
    if not is_id(patient_id):
        raise ConfigurationError("--patient", "", "must be the id of a Patient in that EHR")
    record = read_record(settings, site, patient_id)
    return _Stack(
        f"Patient/{patient_id}",
        record.consents,
        site.acting_as,
        record.birth_date,
        read_related(record.related),
        record.problems,
    )


def _read_files(files: Sequence[Path], patient: str) -> _Stack:
    return _Stack(patient, [consent for file in files for consent in _read_file(file)])


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


def _read_rules(settings: Settings, name: str) -> ConsentRules:
    folder = settings.config_dir / "consent"
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
