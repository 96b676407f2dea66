"""The published examples are what the code writes, every variety of it and nothing else."""

from tests.unit.filing.examples import find_examples, list_examples, write_example


def test_the_examples_are_what_the_code_writes() -> None:
    wanted = {file: write_example(resource) for file, resource in list_examples()}
    held = {file: file.read_text(encoding="utf-8") for file in find_examples()}
    assert held == wanted, "write them anew: python -m tests.unit.filing.examples"
