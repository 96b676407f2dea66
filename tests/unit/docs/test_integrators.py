"""``docs/integrators.md`` documents every key with its default, and every error code; and none that is not there."""

import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.consent.rules import ConsentRules
from gateway.ehr.site import EhrSite
from gateway.models.catalogue import Catalogue, PackageMember
from gateway.note.formats import _FormatPart
from gateway.retention import Retention
from gateway.settings import ROOT, Settings
from tests.unit.docs.source import HOLE, find_codes

GUIDE = (ROOT / "docs" / "integrators.md").read_text(encoding="utf-8")
IDS = frozenset({"id", "models.id"})  # a file's stem, a table's name: nobody writes them
ROW = re.compile(r"^\| `([^`]+)` \| (`[^|]*`|[^|]*?) \| (.*)\|$", re.MULTILINE)
CODE_ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|$", re.MULTILINE)


def _list_keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key as a site writes it, dotted; a table that has keys of its own and may be left out is not a key."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        inner = _find_model(field.annotation)
        if inner is None or _is_many(field.annotation) or key == "models.hub":
            yield key, field
        if inner is not None:
            yield from _list_keys(inner, f"{key}.")


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return None if annotation is PackageMember else annotation
    found = (_find_model(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _is_many(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_is_many(argument) for argument in get_args(annotation))
    return get_origin(annotation) in (tuple, dict)


def _show_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    if isinstance(default, Path):
        return "own folder" if default.is_relative_to(ROOT) else f'`"{default}"`'
    if isinstance(default, tuple):
        default = list(default)
    return f"`{json.dumps(default)}`"


def _rows_below(heading: str) -> dict[str, tuple[str, str]]:
    """The rows of the first table of keys after a heading or paragraph that begins so: key to (default, words)."""
    start = GUIDE.index(heading)
    table = GUIDE[GUIDE.index("| key |", start) :].split("\n\n")[0]
    return {key: (default, words.strip()) for key, default, words in ROW.findall(table)}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("## 2. Describe the EHR", EhrSite),
        ("## 3. Map consent", ConsentRules),
        ("## 4. Note formats", _FormatPart),
        ("**Settings**", Settings),
        ("**Lifetimes**", Retention),
        ("**Models**", Catalogue),
    ],
)
def test_every_key_is_documented_with_its_default(heading: str, model: type[BaseModel]) -> None:
    keys = {key: _show_default(field) for key, field in _list_keys(model) if key not in IDS}
    assert {key: default for key, (default, _) in _rows_below(heading).items()} == keys


def test_every_error_code_is_documented_and_no_other() -> None:
    table = GUIDE[GUIDE.index("## 9. Error codes") :]
    documented = [code for code, _ in CODE_ROW.findall(table)]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(find_codes())


def test_a_variable_code_is_marked_as_such() -> None:
    assert {code for code in find_codes() if HOLE in code} == {"discovery.…", "ehr.…", "launch.…", "token.…"}


def test_every_example_file_is_read_by_the_code() -> None:
    from gateway.configuration import read_toml

    class File(EhrSite):
        id: str = ""

    examples = sorted((ROOT / "config" / "ehrs").rglob("*.toml*"))
    assert examples
    assert all(read_toml(path, File).name for path in examples)
