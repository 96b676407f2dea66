"""Each layer of the confinement by itself, in a process of its own: one that falls away leaves the others."""

import os
import socket
import subprocess
import sys

import pytest

from gateway.front import supervisor
from gateway.settings import ROOT, read_settings
from gateway.visit import confinement
from gateway.visit.confinement import can_limit_calls, landlock_version, list_code, list_gpu_devices, restrict_files

needs_landlock = pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
needs_filter = pytest.mark.skipif(not can_limit_calls(), reason="no call filter is written for this processor")

BEGIN = """
import ctypes, errno, os, resource, signal, socket, sys, threading
from pathlib import Path
from gateway.visit.confinement import *
from gateway.visit.process import give_up_rights

def why(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""


def run(body: str, *arguments: object) -> list[str]:
    """What a fresh process prints."""
    command = [sys.executable, "-c", BEGIN + body, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


@needs_filter
def test_without_a_namespace_the_call_filter_still_lets_no_network_socket_be_made():
    """As with accept_no_network_namespace, where the kernel refuses the namespace."""
    body = """
give_up_rights()
assert limit_calls()
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK):
    print(why(lambda: socket.socket(family, socket.SOCK_STREAM if family != socket.AF_NETLINK else socket.SOCK_RAW)))
print(why(lambda: socket.socketpair()))
"""
    assert run(body) == ["EPERM"] * 5 + ["done"]


@needs_filter
def test_the_call_filter_lets_threads_start_and_nothing_else():
    body = """
give_up_rights()
assert limit_calls()
threads = [threading.Thread(target=os.getpid) for _ in range(20)]
for one in threads: one.start()
for one in threads: one.join()
print(why(os.fork), why(lambda: os.posix_spawn("/bin/true", ["true"], {})))
print(why(lambda: os.execv("/bin/true", ["true"])))
libc = ctypes.CDLL(None, use_errno=True)
print(errno.errorcode[(libc.unshare(0x10000000), ctypes.get_errno())[1]])
print(errno.errorcode[(libc.ptrace(0, 0, 0, 0), ctypes.get_errno())[1]])
"""
    assert run(body) == ["EPERM"] * 5


@needs_filter
def test_the_call_filter_lets_nothing_be_left_in_the_kernel():
    body = """
give_up_rights()
assert limit_calls()
libc = ctypes.CDLL(None, use_errno=True)
for name, *given in (("shmget", 7, 4096, 0o1600), ("semget", 7, 1, 0o1600), ("msgget", 7, 0o1600)):
    print(errno.errorcode[(getattr(libc, name)(*given), ctypes.get_errno())[1]])
"""
    assert run(body) == ["EPERM"] * 3


@needs_landlock
def test_landlock_alone_keeps_files_shut_and_leaves_open_ones_open(tmp_path):
    (tmp_path / "key").write_text("secret")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("weights")
    (tmp_path / "model" / "link").symlink_to(tmp_path / "key")
    body = """
folder = Path(sys.argv[1])
held = open(folder / "key")
give_up_rights()
assert restrict_files([folder / "model", folder / "none"])
print(held.read(), why(lambda: open(folder / "key")), why(lambda: open(folder / "model" / "link")))
print(open(folder / "model" / "weights").read(), why(lambda: open(folder / "model" / "weights", "a")))
print(why(lambda: os.rename(folder / "model" / "weights", folder / "model" / "other")))
print(why(lambda: os.symlink("/", folder / "model" / "root")), why(lambda: os.mkdir(folder / "model" / "new")))
print(why(lambda: open("/dev/null", "w").write("x")), why(lambda: os.execv("/bin/true", ["true"])))
"""
    given = run(body, tmp_path)
    assert given == ["secret", "EACCES", "EACCES", "weights", "EACCES", "EACCES", "EACCES", "EACCES", "done", "EACCES"]


@needs_landlock
def test_a_device_may_be_written_to_and_told_what_to_do_and_no_other(tmp_path):
    """Terminals stand for a GPU's nodes: what they are told by ioctl is read, what they are sent is dropped."""
    (tmp_path / "key").write_text("secret")
    body = """
import fcntl, termios
given, other = (os.ttyname(os.openpty()[1]) for _ in range(2))
def tell(path, flags):
    place = os.open(path, flags | os.O_NOCTTY)
    fcntl.ioctl(place, termios.TCGETS, bytes(64))
    return os.write(place, b"x") if flags else None
give_up_rights()
assert restrict_files([Path(other)], [Path(given)])
print(why(lambda: tell(given, os.O_RDWR)), why(lambda: tell(other, os.O_RDWR)), why(lambda: tell(other, os.O_RDONLY)))
print(why(lambda: open(sys.argv[1])), why(lambda: open("/etc/passwd")))
"""
    told = "EACCES" if landlock_version() >= 5 else "done"  # before, a device that may be read may be told anything
    assert run(body, tmp_path / "key") == ["done", "EACCES", told, "EACCES", "EACCES"]


def test_a_gpus_nodes_are_devices_and_nothing_else(tmp_path):
    (tmp_path / "dri").mkdir()
    for name in ("nvidia0", "dri/card0"):
        (tmp_path / name).write_text("a file")
    (tmp_path / "nvidiactl").symlink_to("/dev/null")
    (tmp_path / "dri" / "renderD128").symlink_to("/dev/zero")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "nvidia-caps").mkdir()
    assert list_gpu_devices(tmp_path) == (tmp_path / "dri" / "renderD128", tmp_path / "nvidiactl")


@needs_landlock
def test_threads_are_confined_like_the_one_that_started_them(tmp_path):
    (tmp_path / "key").write_text("secret")
    body = """
give_up_rights()
assert restrict_files([])
one = threading.Thread(target=lambda: print(why(lambda: open(sys.argv[1]))))
one.start(); one.join()
"""
    assert run(body, tmp_path / "key") == ["EACCES"]


def test_the_limits_alone_let_no_byte_into_any_file(tmp_path):
    open_file = tmp_path / "open"
    body = """
held = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
limit_resources()
print(why(lambda: os.write(held, b"x")), why(lambda: os.write(os.memfd_create("x"), b"x")))
print(resource.getrlimit(resource.RLIMIT_CORE), end="")
"""
    assert run(body, open_file)[:2] == ["EFBIG", "EFBIG"]
    assert open_file.read_bytes() == b""


def test_a_user_namespace_gives_no_right_that_is_not_dropped():
    body = """
from gateway.visit.process import give_up_network
give_up_network()
give_up_rights()
status = Path("/proc/self/status").read_text()
print(*[line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "CapPrm", "CapBnd"))])
"""
    assert {int(one, 16) for one in run(body)} == {0}


def test_what_may_be_read_holds_no_configuration_state_or_home():
    """A rule counts for all that lies below it."""
    private = [ROOT / "config", ROOT / "build", ROOT / ".git", "/etc/passwd", "/run/secrets", "/var/lib", "/tmp"]
    for path in (*list_code(), *confinement.SYSTEM, *confinement.GPU_SYSTEM):
        assert not any(str(one).startswith(f"{str(path).rstrip('/')}/") or str(one) == str(path) for one in private)
        assert os.path.normpath(path) not in ("/", "/etc", "/proc", "/dev", "/home", "/usr", str(ROOT))


def test_a_kernel_without_landlock_is_said_at_the_start(monkeypatch, tmp_path):
    monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    monkeypatch.setattr(supervisor, "landlock_version", lambda: 0)
    assert restrict_files([]) is False
    said: list[str] = []
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        settings = read_settings(ROOT / "config", state_dir=tmp_path, port=used.getsockname()[1])
        with pytest.raises(supervisor.ServeError):
            supervisor.serve(settings, announce=said.append)
    assert sum("Landlock" in one and "5.13" in one for one in said) == 1


def test_a_processor_without_a_filter_is_said(monkeypatch):
    monkeypatch.setattr(confinement.platform, "machine", lambda: "riscv64")
    assert confinement.limit_calls() is False
    assert not can_limit_calls()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_step_of_the_filter_lands_inside_it(machine):
    """A jump past the end would be refused by the kernel; this finds it for the other processor too."""
    steps = list(confinement._write_filter(*confinement._MACHINES[machine], confinement._FORBIDDEN[machine].values()))
    for at, step in enumerate(steps):
        code, if_true, if_false = int.from_bytes(step[:2], "little"), step[2], step[3]
        if code & 0x07 == 0x05:
            assert at + 1 + max(if_true, if_false) < len(steps)
    assert int.from_bytes(steps[-1][:2], "little") == confinement._RETURN
