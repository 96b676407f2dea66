"""A build of llama.cpp that this processor can't run is a sentence, not a signal."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import ModelError
from gateway.note.processor import FLAGS, find_lacking, read_flags, require_processor

OLD = "processor\t: 0\nflags\t\t: fpu sse sse2 pni ssse3 sse4_1 sse4_2 avx f16c\nbogomips\t: 5000\n"


def cpuinfo(folder: Path, text: str) -> Path:
    file = folder / "cpuinfo"
    file.write_text(text, encoding="utf-8")
    return file


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lacks AVX2, BMI2, FMA, which") as caught:
        require_processor(lambda name: name != "avx512", cpuinfo(tmp_path, OLD))
    assert caught.value.code == "model.processor"
    assert "outline" in caught.value.public


def test_a_build_for_less_runs(tmp_path: Path) -> None:
    require_processor(lambda name: name in ("avx", "f16c"), cpuinfo(tmp_path, OLD))


@pytest.mark.parametrize("text", ["", "processor : 0\nFeatures : fp asimd\n"], ids=["empty", "arm"])
def test_a_processor_that_is_not_known_is_not_refused(tmp_path: Path, text: str) -> None:
    assert find_lacking(lambda name: True, read_flags(cpuinfo(tmp_path, text))) == ()


def test_no_cpuinfo_is_not_refused(tmp_path: Path) -> None:
    require_processor(lambda name: True, tmp_path / "none")


def test_the_library_answers_for_every_set() -> None:
    """In a process of its own: asked before anything of the library has run."""
    code = (
        "from gateway.note.weights import is_built_for\nfrom gateway.note.processor import FLAGS\n"
        "print([is_built_for(name) in (True, False) for name in FLAGS])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([True] * len(FLAGS))
