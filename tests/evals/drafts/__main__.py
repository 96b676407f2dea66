"""Drafts encounters of ACI-BENCH with the installed text model and says how good they are, as a table.

    python -m tests.evals.drafts [--split train|valid] [--encounters 5] [--data FOLDER] [--format soap] [--only plan]
                                 [--without RULE …] [--no-ours] [--no-plain]

Beside our drafts stands one plain prompt over the whole transcript, whose sentences go through the same check, and
with ``--without`` a column for each rule of the recipe, with that rule off. Each draft is written to
``build/eval-drafts`` with its verdicts, to be read whole; the figures to ``build/eval-drafts.json``. Develop on train;
valid is measured last. Seconds are the processor's, summed over threads: they hardly change with what else the
machine does.
"""

import argparse
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before llama.cpp: a machine that others use too

from gateway.models.catalogue import Kind
from gateway.models.installed import find_installed
from gateway.note.checking import DraftChecker
from gateway.note.draft import ModelDrafter
from gateway.note.evidence import CheckedStatement
from gateway.note.formats import NoteFormat, read_formats
from gateway.note.llama import LlamaTextModel, load_weights
from gateway.note.prompt import read_prompts
from gateway.note.risk import RiskRules, read_risk_rules
from gateway.note.statement import Origin, Statement
from gateway.settings import ROOT, read_settings
from tests.evals.drafts.encounters import Encounter, read_encounters
from tests.evals.drafts.measures import count_repeats, find_medications, find_numbers, score_rouge
from tests.evals.drafts.rules import RULES, draft_without
from tests.evals.plain import PlainNote, PlainWriter

PLAIN = "one plain prompt"
PLAIN_TOKENS = 700
DATA = Path(os.environ.get("COUNTERSIGN_EVAL_DATA", ROOT.parent / "shared" / "data"))


@dataclass(slots=True)
class Figures:
    """Sums over encounters; ROUGE and seconds are sums too, divided when they are shown."""

    encounters: int = 0
    written: int = 0
    shown: int = 0
    withheld: int = 0
    doubles: int = 0
    repeats: int = 0
    numbers: int = 0
    numbers_written: int = 0
    numbers_shown: int = 0
    drugs: int = 0
    drugs_written: int = 0
    drugs_shown: int = 0
    rouge_1: float = 0.0
    rouge_l: float = 0.0
    seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(
        self, encounter: Encounter, texts: list[str], checked: list[CheckedStatement | None], seconds: float
    ) -> None:
        kept = [each for each in checked if each is not None and not each.withheld]
        held = [each for each in checked if each is not None and each.withheld]
        shown = [each.statement.text for each in kept]
        self.encounters += 1
        self.written += len(texts)
        self.shown += len(kept)
        self.withheld += len(held)
        self.doubles += checked.count(None)
        self.repeats += count_repeats(shown)
        numbers, drugs = find_numbers(encounter.note), find_medications(encounter.note)
        self.numbers += len(numbers)
        self.numbers_written += len(numbers & find_numbers("\n".join(texts)))
        self.numbers_shown += len(numbers & find_numbers("\n".join(shown)))
        self.drugs += len(drugs)
        self.drugs_written += len(drugs & find_medications("\n".join(texts)))
        self.drugs_shown += len(drugs & find_medications("\n".join(shown)))
        one, longest = score_rouge("\n".join(shown), encounter.note)
        self.rouge_1 += one
        self.rouge_l += longest
        self.seconds += seconds
        for each in held:
            reason = re.sub(r"“[^”]*”|\"[^\"]*\"|\d+", "…", each.reason)
            self.reasons[reason] = self.reasons.get(reason, 0) + 1


def main() -> int:
    options = read_options()
    try:
        encounters = read_encounters(options.data / "aci-bench", options.split)
    except FileNotFoundError:
        print(f"There is no ACI-BENCH in {options.data}; name its folder with --data or COUNTERSIGN_EVAL_DATA.")
        return 2
    settings = read_settings()
    installed = find_installed(settings, Kind.TEXT)
    if installed is None:
        print("There is no text model; run `countersign models pull`.")
        return 2
    note_format = read_formats(settings.config_dir / "formats")[options.format]
    rules = read_risk_rules(settings.config_dir / "risk")
    weights = load_weights(installed.path, installed.sha256)
    model = LlamaTextModel(weights, options.threads, room=4096)
    plan_model = LlamaTextModel(weights, options.threads, room=options.plan_room)
    drafter = ModelDrafter(model, read_prompts(), 7200.0, plan_model)
    plain = PlainWriter(weights, options.threads or len(os.sched_getaffinity(0)), 6144)
    folder = ROOT / "build" / options.name
    folder.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Figures] = {}
    for encounter in encounters[options.skip :][: options.encounters]:
        page = show_quotes(encounter, note_format, rules)
        drafts: dict[str, list[Statement]] = {}
        for rule in ([] if options.no_ours else [""]) + options.without:
            name = f"without {rule}" if rule else "countersign"
            with draft_without(rule, note_format) as wanted:
                started = time.process_time()
                written = list(drafter.write(encounter.material, wanted, threading.Event(), options.only))
                checked = check(encounter, note_format, rules, written)
                seconds = time.process_time() - started
            columns.setdefault(name, Figures()).add(encounter, [each.text for each in written], checked, seconds)
            page += [f"## {name}", *show_draft(written, checked), ""]
            drafts[name] = written
        if not options.no_plain:
            note = plain.write(encounter.transcript, PLAIN_TOKENS, clock=time.process_time)
            written = split_note(note, note_format)
            checked = check(encounter, note_format, rules, written)
            seconds = note.read_seconds + note.write_seconds
            columns.setdefault(PLAIN, Figures()).add(encounter, [each.text for each in written], checked, seconds)
            page += [f"## {PLAIN}", *show_draft(written, checked), ""]
            drafts[PLAIN] = written
        page += ["## The clinician's note", encounter.note, "", "## Transcript", encounter.transcript]
        (folder / f"{encounter.id}.md").write_text("\n".join(page) + "\n", encoding="utf-8")
        kept = {name: [asdict(each) for each in written] for name, written in drafts.items()}
        (folder / f"{encounter.id}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(f"{encounter.id}: {encounter.material.word_count} words", file=sys.stderr, flush=True)
        figures = {name: asdict(each) for name, each in columns.items()}
        folder.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for line in write_table(columns):
        print(line)
    plain.close()
    drafter.close()
    return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.evals.drafts", description="How good drafts are.")
    parser.add_argument("--split", choices=("train", "valid"), default="train")
    parser.add_argument("--encounters", type=int, default=5, help="how many, from the shortest on")
    parser.add_argument("--skip", type=int, default=0, help="how many of the shortest to leave out")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder that holds aci-bench/")
    parser.add_argument("--format", default="soap", help="the id of a note format")
    parser.add_argument("--threads", type=int, default=0, help="0: one for each core")
    parser.add_argument("--only", nargs="*", default=[], help="ids of sections; none: all")
    parser.add_argument("--plan-room", type=int, default=4096, help="tokens; few: only lines that speak of the plan")
    parser.add_argument("--name", default="eval-drafts", help="of the folder and the file in build/")
    parser.add_argument("--without", nargs="*", default=[], choices=RULES, metavar="RULE", help="; ".join(RULES))
    parser.add_argument("--no-ours", action="store_true", help="only the drafts of --without, and the plain prompt")
    parser.add_argument("--no-plain", action="store_true", help="our drafts alone")
    return parser.parse_args()


def check(
    encounter: Encounter, note_format: NoteFormat, rules: RiskRules, statements: Iterable[Statement]
) -> list[CheckedStatement | None]:
    checker = DraftChecker(encounter.material, note_format, rules)
    return [checker.check(statement) for statement in statements]


def split_note(note: PlainNote, note_format: NoteFormat) -> list[Statement]:
    """The sentences of a note that was written in one piece, by the headings it has."""
    section = note_format.sections[0].id
    found: list[Statement] = []
    for line in note.text.splitlines():
        plain = re.sub(r"[*#`_]+", "", line).strip().lstrip("-•0123456789. ").strip()
        heading, _, rest = plain.partition(":")
        for each in note_format.sections:
            if heading.strip().lower() == each.title.lower():
                section, plain = each.id, rest.strip()
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", plain):
            if len(sentence.split()) > 1:
                found.append(Statement(len(found) + 1, section, sentence, Origin.MODEL))
    return found


def show_quotes(encounter: Encounter, note_format: NoteFormat, rules: RiskRules) -> list[str]:
    quotes = DraftChecker(encounter.material, note_format, rules).quotes()
    return [f"# {encounter.id}", *(f"> quoted for risk: {quote.statement.text}" for quote in quotes)]


def show_draft(statements: list[Statement], checked: list[CheckedStatement | None]) -> list[str]:
    """Each statement in the order it was written: ``+`` shown, ``-`` withheld and why, ``=`` a double; ``<`` between
    the section that it was routed to and the one it was written for."""
    lines = []
    for statement, verdict in zip(statements, checked, strict=True):
        if verdict is None:
            lines.append(f"= ({statement.section}) {statement.text}")
        elif verdict.withheld:
            lines.append(f"- ({statement.section}) {statement.text}  <{verdict.reason}>")
        else:
            numbers = ", ".join(map(str, verdict.segments))
            moved = f" < {statement.section}" if statement.section != verdict.section else ""
            lines.append(f"+ ({verdict.section}{moved}) {statement.text}  [{numbers}]")
    return lines


def write_table(columns: dict[str, Figures]) -> Iterable[str]:
    """Markdown."""
    rows: dict[str, Callable[[Figures], str]] = {
        "statements written a note": lambda each: f"{each.written / each.encounters:.1f}",
        "shown / withheld / doubles": lambda each: " / ".join(
            f"{count / each.encounters:.1f}" for count in (each.shown, each.withheld, each.doubles)
        ),
        "repeats among the shown": lambda each: f"{each.repeats / each.encounters:.1f}",
        "numbers with units of the clinician's note: in the draft, shown": lambda each: (
            f"{each.numbers_written}, {each.numbers_shown} of {each.numbers}"
        ),
        "medications of the clinician's note: in the draft, shown": lambda each: (
            f"{each.drugs_written}, {each.drugs_shown} of {each.drugs}"
        ),
        "ROUGE-1 / ROUGE-L of what is shown": lambda each: (
            f"{each.rouge_1 / each.encounters:.1f} / {each.rouge_l / each.encounters:.1f}"
        ),
        "processor seconds a note": lambda each: f"{each.seconds / each.encounters:.0f}",
    }
    yield f"| {' | '.join(['', *columns])} |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, show in rows.items():
        yield f"| {' | '.join([name, *(show(each) for each in columns.values())])} |"


if __name__ == "__main__":
    sys.exit(main())
