"""Proofs can be made by their makers alone: at run time by a private token, in the source by reading all of it."""

import ast
import copy
import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import gateway
from gateway.proof import ForgedProof, Maker

ROOT = Path(__file__).parents[2]
# The proofs of design.md, and the classes that only lead to one.
PROOFS = {
    "LaunchContext": {"ehr/context.py", "ehr/smart.py"},
    "Chart": {"ehr/chart.py"},
    "Permit": {"consent/decision.py"},
    "Material": {"capture/material.py"},
    "Draft": {"note/statement.py"},
    "CheckedStatement": {"note/evidence.py"},
    "CheckedDraft": {"note/evidence.py"},
    "ApprovedNote": {"note/review.py"},
    "FiledNote": {"filing/writer.py"},
    "HandOverText": {"filing/handover.py"},
    "HandedOver": {"filing/handover.py"},
    "SignedNote": {"filing/signature.py"},
    "PurgeReceipt": {"visit/purge.py"},
}
# Who may hold another module's token: its second maker.
BORROWERS = {("ehr/smart.py", "gateway.ehr.context")}


def read_sources() -> dict[str, ast.Module]:
    folder = ROOT / "gateway"
    paths = [path for path in folder.rglob("*.py") if "sandbox" not in path.parts]
    return {str(path.relative_to(folder)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


SOURCES = read_sources()


def find_proofs() -> dict[str, type]:
    """Every class of the gateway that takes a maker."""
    found = {}
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if module.name.startswith("gateway.sandbox") or module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and "maker" in getattr(value, "__annotations__", {}):
                found[value.__name__] = value
    return found


CLASSES = find_proofs()


def test_every_proof_of_the_design_takes_a_maker_and_is_listed_here() -> None:
    assert set(CLASSES) == set(PROOFS)


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize("maker", ["its own maker's name", None, object()])
def test_nobody_else_makes_it(name: str, maker: object) -> None:
    proof = CLASSES[name]
    given = Maker(name) if isinstance(maker, str) else maker
    fields = len(dataclasses.fields(proof))
    with pytest.raises(ForgedProof):
        proof(given, *[None] * fields)


@pytest.mark.parametrize("name", PROOFS)
def test_it_is_frozen_and_does_not_keep_the_token(name: str) -> None:
    proof = CLASSES[name]
    assert proof.__dataclass_params__.frozen
    assert "maker" not in {field.name for field in dataclasses.fields(proof)}
    assert not any(isinstance(value, Maker) for value in vars(proof).values())
    assert "__slots__" in vars(proof)


@pytest.mark.parametrize("name", PROOFS)
def test_it_is_called_by_its_makers_modules_alone(name: str) -> None:
    callers = {
        module
        for module, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name
    }
    assert callers <= PROOFS[name]
    assert callers


@pytest.mark.parametrize("module", SOURCES)
def test_no_module_holds_another_ones_token(module: str) -> None:
    for node in ast.walk(SOURCES[module]):
        if isinstance(node, ast.ImportFrom) and "MAKER" in {alias.name for alias in node.names}:
            assert (module, node.module) in BORROWERS
        if isinstance(node, ast.Attribute):
            assert node.attr != "MAKER"


@pytest.mark.parametrize("module", SOURCES)
def test_no_module_makes_an_object_past_its_constructor(module: str) -> None:
    """A copy or a revived object never meets ``__post_init__``."""
    text = "\n".join(ast.unparse(node) for node in ast.walk(SOURCES[module]) if isinstance(node, ast.Call | ast.Import))
    assert not re.search(
        r"__new__\(|object\.__setattr__|__setstate__|__reduce|\bcopy\.copy|deepcopy|import pickle", text
    )


def test_a_token_is_neither_copied_nor_sent_elsewhere() -> None:
    maker = Maker("a test")
    for leave in (copy.copy, copy.deepcopy):
        with pytest.raises(ForgedProof):
            leave(maker)
    maker.check(maker)
    with pytest.raises(ForgedProof):
        maker.check(Maker("a test"))
