"""The page's source: typed strictly, and without what could run or keep what it shows."""

import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "smart_app"
TSC = HERE / "node_modules" / ".bin" / "tsc"
MODULES = sorted(PAGE.rglob("*.js"))
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment"
    r"|localStorage|sessionStorage|indexedDB|serviceWorker|document\.cookie|caches\.|https?://(?!www\.w3\.org)"
)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_module_builds_no_markup_and_keeps_nothing(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert text.startswith("// @ts-check\n")
    assert FORBIDDEN.findall(text) == []


def test_markup_and_styles_need_no_exception_from_the_policy() -> None:
    markup = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", markup)
    for sheet in PAGE.glob("*.css"):
        assert not re.search(r"@import|url\(", sheet.read_text(encoding="utf-8"))


def test_jsdoc_types_hold() -> None:
    if not TSC.exists():
        pytest.skip("needs TypeScript: npm ci --prefix tests/browser")
    checked = subprocess.run(
        [TSC, "--project", HERE / "tsconfig.json"], capture_output=True, text=True, timeout=120, check=False
    )
    assert checked.stdout == ""
    assert checked.returncode == 0
