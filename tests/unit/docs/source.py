"""What the documents are held to: error codes, events and sentences, read from the source without running it.

The tree is walked, not searched as text: a sentence that stands on two lines is one string, and what a variable puts
into it is shown as ``…``.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GATEWAY = ROOT / "gateway"
HOLE = "…"
EVENT = re.compile(r"(front|visit|ledger|operator):[a-z-]+:([a-z-]+|…)")


def list_modules() -> list[Path]:
    """Every module of the gateway, without the sandbox, which is another program."""
    return [path for path in sorted(GATEWAY.rglob("*.py")) if "sandbox" not in path.relative_to(GATEWAY).parts]


def walk_source() -> Iterator[ast.AST]:
    for path in list_modules():
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def read_text(node: ast.AST) -> str | None:
    """The text of a string or of an f-string, its variables as ``…``; None for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in values)
        case _:
            return None


def find_error_names() -> set[str]:
    """The names of every error class: ``CountersignError`` and what derives from it, in any module."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for node in walk_source()
        if isinstance(node, ast.ClassDef)
    }
    found = {"CountersignError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def find_codes() -> dict[str, str]:
    """Every error code and its sentence (the first found); a code with a variable part ends in ``…``."""
    errors, found = find_error_names(), {"configuration": ""}
    for node in walk_source():
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            texts = [read_text(argument) for argument in node.args[:2]]
            if (name in errors - {"ConfigurationError"} or name == "_say") and texts and texts[0]:
                found.setdefault(texts[0], (texts[1] if len(texts) > 1 else "") or "")
        if isinstance(node, ast.Dict):
            keys = [read_text(key) if key else None for key in node.keys]
            if "code" in keys:
                code = read_text(node.values[keys.index("code")])
                if code and "." in code:
                    found.setdefault(code, "")
    return found


def find_sentences() -> list[str]:
    """Every string of the gateway and the words of the page, for a person to read or not."""
    strings = [text for node in walk_source() if (text := read_text(node))]
    return [*strings, (ROOT / "smart_app" / "words.js").read_text(encoding="utf-8")]


def find_events() -> set[str]:
    """Every event of the ledger, ``source:subject:action``; a variable part is ``…``."""
    texts = {read_text(node) or "" for node in walk_source()}
    return {text for text in texts if EVENT.fullmatch(text)}
