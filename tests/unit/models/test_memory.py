import os
from pathlib import Path

import psutil
import pytest

from gateway.errors import ModelError
from gateway.models.memory import (
    SPARE_BYTES,
    STARTING_SECONDS,
    VISIT_BYTES,
    Need,
    Running,
    count_claim,
    count_needed,
    find_shortage,
    fits,
    read_available,
    read_own_bytes,
    require_room_for_visit,
)

GB = 1_000_000_000
TEXT, SPEECH = Need(2 * GB, GB // 4), Need(0, GB // 2)
ONE_VISIT = VISIT_BYTES + GB // 4 + GB // 2


def test_weights_are_counted_once_and_the_rest_for_each_visit() -> None:
    assert count_needed([TEXT, SPEECH]) == 2 * GB + ONE_VISIT
    assert count_needed([TEXT, SPEECH], visits=3) == 2 * GB + 3 * ONE_VISIT
    assert count_needed([TEXT, SPEECH], loaded=True) == ONE_VISIT
    assert count_needed([]) == VISIT_BYTES


def test_something_is_left_to_the_system() -> None:
    exact = 2 * GB + ONE_VISIT + SPARE_BYTES
    assert fits(exact, [TEXT, SPEECH])
    assert not fits(exact - 1, [TEXT, SPEECH])
    assert fits(exact + ONE_VISIT, [TEXT, SPEECH], visits=2)
    assert not fits(exact + ONE_VISIT - 1, [TEXT, SPEECH], visits=2)


def test_what_is_not_known_is_not_refused() -> None:
    assert find_shortage(None, [TEXT]) is None


def test_a_visit_that_does_not_fit_is_told_so_in_one_sentence() -> None:
    require_room_for_visit(GB + SPARE_BYTES, [TEXT, SPEECH])
    with pytest.raises(ModelError) as caught:
        require_room_for_visit(GB // 2, [TEXT, SPEECH])
    assert caught.value.code == "model.memory"
    assert "0.8 GB are needed and 0.5 GB are free" in caught.value.public
    require_room_for_visit(None, [TEXT, SPEECH])


@pytest.mark.parametrize(
    ("age_seconds", "grown_bytes", "claim"),
    [
        (0, 0, ONE_VISIT),
        (STARTING_SECONDS - 1, GB // 4, ONE_VISIT - GB // 4),
        (STARTING_SECONDS, 0, ONE_VISIT - VISIT_BYTES),
        (3600, GB // 2, GB // 4),
        (3600, GB, 0),
        (3600, -GB, ONE_VISIT - VISIT_BYTES),
        (3600, None, ONE_VISIT - VISIT_BYTES),
    ],
)
def test_a_visit_that_runs_claims_what_its_models_need_and_it_has_not_taken(age_seconds, grown_bytes, claim) -> None:
    assert count_claim(Running(age_seconds, grown_bytes), [TEXT, SPEECH]) == claim


def test_what_a_running_visit_may_still_take_is_not_free_for_another() -> None:
    enough = SPARE_BYTES + 2 * ONE_VISIT
    require_room_for_visit(enough, [TEXT, SPEECH], [Running(1, 0)])
    with pytest.raises(ModelError) as caught:
        require_room_for_visit(enough, [TEXT, SPEECH], [Running(1, 0), Running(3600, 0)])
    assert "0.8 GB are needed and 0.3 GB are free" in caught.value.public
    require_room_for_visit(enough, [TEXT, SPEECH], [Running(1, 0), Running(3600, GB)])


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "proc", {"meminfo": "MemTotal:  9 kB\nMemAvailable:     8000 kB\n"})


def test_reads_what_the_machine_has(proc: Path, tmp_path: Path) -> None:
    assert read_available(proc, tmp_path / "nothing") == 8000 * 1024


def test_a_container_has_what_its_group_and_those_above_leave_it(proc: Path, tmp_path: Path) -> None:
    lay_out(proc, {"self/cgroup": "0::/shop/gateway\n"})
    groups = lay_out(
        tmp_path / "groups",
        {
            "shop/memory.max": "5000000\n",
            "shop/memory.current": "3000000\n",
            "shop/memory.stat": "anon 1\ninactive_file 500000\n",
            "shop/gateway/memory.max": "max\n",
            "shop/gateway/memory.current": "1000000\n",
        },
    )
    assert read_available(proc, groups) == 2_500_000
    (groups / "shop" / "gateway" / "memory.max").write_text("1200000")
    assert read_available(proc, groups) == 200_000
    (groups / "shop" / "gateway" / "memory.max").write_text("900000")
    assert read_available(proc, groups) == 0


def test_reads_the_older_control_groups(proc: Path, tmp_path: Path) -> None:
    lay_out(proc, {"self/cgroup": "5:cpu,cpuacct:/\n4:memory:/box\n0::/\n"})
    groups = lay_out(
        tmp_path / "groups",
        {
            "memory/memory.limit_in_bytes": "9223372036854771712",
            "memory/memory.usage_in_bytes": "1000",
            "memory/box/memory.limit_in_bytes": "4000000",
            "memory/box/memory.usage_in_bytes": "1000000",
            "memory/box/memory.stat": "inactive_file 9\ntotal_inactive_file 1000\n",
        },
    )
    assert read_available(proc, groups) == 3_001_000


def test_a_group_that_is_not_mounted_here_is_passed_over(proc: Path, tmp_path: Path) -> None:
    lay_out(proc, {"self/cgroup": "0::/../../elsewhere\nnonsense\n"})
    assert read_available(proc, lay_out(tmp_path / "groups", {"memory.max": "77", "memory.current": "7"})) == 70


def test_says_nothing_where_the_kernel_does_not(tmp_path: Path) -> None:
    assert read_available(tmp_path, tmp_path) is None


def test_reads_this_machine() -> None:
    assert (read_available() or 0) > 10_000_000


def test_reads_what_a_process_holds_that_is_no_files(tmp_path: Path) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    proc = lay_out(tmp_path, {"7/statm": "9000 500 120 1 0 800 0\n", "8/statm": "nonsense\n"})
    assert read_own_bytes(7, proc) == 380 * page
    assert read_own_bytes(8, proc) is None
    assert read_own_bytes(9, proc) is None
    whole = psutil.Process().memory_info()
    assert read_own_bytes(os.getpid()) == pytest.approx(whole.rss - whole.shared, rel=0.05)
