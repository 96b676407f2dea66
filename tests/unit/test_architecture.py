"""What the gateway's source may not do, whatever it is for: keep text in a file, or let it into a log."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

GATEWAY = Path(__file__).parents[2] / "gateway"
SOURCES = sorted(path for path in GATEWAY.rglob("*.py") if "sandbox" not in path.parts)
TREES = {str(path.relative_to(GATEWAY)): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
EACH = pytest.mark.parametrize("name", TREES)

# Files and temporary files that a framework or a library makes of what it is given, and copies that outlive it.
NO_IMPORTS = {"tempfile", "pickle", "shelve", "marshal", "dbm", "multiprocessing", "python_multipart", "multipart"}
NO_NAMES = {"UploadFile", "SpooledTemporaryFile", "NamedTemporaryFile", "TemporaryFile", "Form", "File", "FileResponse"}
SERVES_FILES = {"front/app.py"}  # the page's own files
SPEAKS = {"cli.py", "app.py", "front/forkserver.py"}  # one sentence on standard error, before anything is served
WRITES = {  # what each keeps on a disk stands in docs/privacy.md
    "ledger/log.py",
    "store/database.py",
    "store/sealing.py",
    "ehr/keys.py",
    "models/folder.py",
    "models/installed.py",
    "models/measuring.py",
    "models/pull.py",
    "models/slots.py",  # empty files in the run folder, for their locks
    "models/sources.py",
    "demo.py",
    "front/supervisor.py",  # asks whether the state folder can be written
    "visit/process.py",  # /dev/null
    "visit/confinement.py",  # names of paths, for the kernel
}
WRITING_CALLS = {"write_text", "write_bytes", "touch", "open", "fdopen", "mkstemp", "memmap", "tofile", "save"}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@EACH
def test_nothing_makes_a_temporary_file_or_a_copy(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            assert NO_IMPORTS.isdisjoint(alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in NO_IMPORTS
            used = {alias.name for alias in node.names} & NO_NAMES
            assert not used or (used == {"FileResponse"} and name in SERVES_FILES)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr != "form", "a framework's form parsing spools to a disk"


@EACH
def test_nothing_is_printed_but_a_sentence_of_a_command(name: str) -> None:
    printed = [
        call.lineno for call in calls(TREES[name]) if name_of(call) == "print" and isinstance(call.func, ast.Name)
    ]
    assert printed == [] or name in SPEAKS


@EACH
def test_files_are_opened_where_the_privacy_officer_is_told_of_them(name: str) -> None:
    if name in WRITES:
        return
    for call in calls(TREES[name]):
        if name_of(call) in WRITING_CALLS:
            words = [ast.unparse(given) for given in [*call.args, *(word.value for word in call.keywords)]]
            reads = name_of(call) == "open" and any(mode in words for mode in ("'rb'", "'r'"))
            own = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in (
                "self.pending",
                "visit",
                "visits",
            )
            assert reads or own, f"{name}:{call.lineno} {ast.unparse(call)}"


@EACH
def test_a_log_line_is_an_event_with_codes_and_never_an_errors_text(name: str) -> None:
    tree = TREES[name]
    errors = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
    for call in calls(tree):
        if not (isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("log", "self._log")):
            continue
        assert call.func.attr in ("info", "warning", "error"), f"{name}:{call.lineno}"
        assert isinstance(call.args[0], ast.Constant), f"{name}:{call.lineno}: built from its values"
        assert not call.keywords, f"{name}:{call.lineno}: exc_info holds an error's text"
        for given in call.args[1:]:
            assert not isinstance(given, ast.JoinedStr), f"{name}:{call.lineno}"
            assert not (isinstance(given, ast.Name) and given.id in errors), f"{name}:{call.lineno}"
            spelled = isinstance(given, ast.Call) and name_of(given) in ("str", "repr", "format")
            assert not spelled, f"{name}:{call.lineno}"
            told = {node.attr for node in ast.walk(given) if isinstance(node, ast.Attribute)}
            assert told.isdisjoint({"args", "public", "text", "url", "request", "body", "content", "filename"})


@EACH
def test_no_server_writes_an_access_log(name: str) -> None:
    """Its lines hold addresses, and so launches, codes and visits."""
    for call in calls(TREES[name]):
        if ast.unparse(call.func) == "uvicorn.Config":
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert (given.get("access_log"), given.get("log_config")) == ("False", "None"), f"{name}:{call.lineno}"
            assert given.get("ws") in ("'none'", "ForgetfulSocket"), f"{name}:{call.lineno}"


@EACH
def test_secrets_are_compared_in_constant_time(name: str) -> None:
    if not name.startswith(("front/", "ehr/", "store/")):
        return
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = [node.left, *node.comparators]
            named = {getattr(side, "attr", getattr(side, "id", "")).strip("_") for side in sides}
            secret = named & {"secret", "key", "digest", "browser_hash", "browser_secret", "code_verifier", "nonce"}
            assert not secret, f"{name}:{node.lineno} {ast.unparse(node)}"


def test_these_tests_look_at_the_gateway() -> None:
    assert {"front/app.py", "visit/workflow.py", "ledger/log.py"} <= set(TREES)
    assert set(TREES) >= SPEAKS | WRITES | SERVES_FILES
