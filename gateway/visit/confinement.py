"""What the kernel lets a visit's process do: read the few files that it needs, and write, start and reach nothing.

In: the paths that may be read, and a GPU's devices. Out: this process and every thread that it starts, confined for
good: no file but these can be opened (Landlock), nothing but those devices can be written, no other process started,
watched or signalled, and no socket made but a Unix one. The network itself goes by a namespace (``visit/process``).
Called with one thread, after ``no_new_privs``. Linux only.
"""

import ctypes
import errno
import os
import platform
import resource
import site
import stat
import struct
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import gateway

# linux/landlock.h and the syscalls' numbers, which are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GIVE_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR, _WRITE_FILE, _IOCTL_DEV = 1 << 2, 1 << 3, 1 << 1, 1 << 15
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # version to how many rights on files it knows; 5 and above: 16
_ALL_FILE_RIGHTS = 16
_TCP_RIGHTS = 0b11  # bind and connect, from version 4
_SCOPES = 0b11  # abstract Unix sockets and signals, from version 6

PR_CAPBSET_DROP, PR_SET_SECCOMP = 24, 22  # linux/prctl.h
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h

# What the C library and the models' libraries look at while they run; none of it is about anybody.
SYSTEM = (
    *("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache"),
    *("/usr/share/zoneinfo", "/etc/localtime", "/sys/devices/system"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/dev/urandom"),
)

# What a GPU's driver looks at besides, of the hardware and of this process itself: as known, not as seen on a GPU.
GPU_SYSTEM = (
    *("/dev/dri", "/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/proc/sys/vm/mmap_min_addr", "/proc/self"),
    *("/sys/bus/pci", "/sys/class/drm", "/sys/class/kfd", "/sys/dev/char", "/sys/devices", "/sys/module/nvidia"),
    *("/usr/share/vulkan", "/usr/share/drirc.d", "/etc/vulkan/icd.d", "/opt/rocm"),
)
# The nodes of NVIDIA's driver, its unified memory and its parts (MIG); of Mesa's and AMD's drivers.
GPU_DEVICES = ("nvidia*", "nvidia-caps/*", "dri/*", "kfd")


class Refused(OSError):
    """The kernel knows this confinement, but refused it."""


def landlock_version() -> int:
    """The version of Landlock that this kernel offers; 0: none (landlock(7))."""
    version = int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GIVE_VERSION))
    return max(version, 0)


def can_limit_calls() -> bool:
    """Whether ``limit_calls`` knows this machine's architecture."""
    return platform.machine() in _MACHINES


def list_code() -> tuple[Path, ...]:
    """Where this interpreter, its packages and the gateway itself lie: what an import may open."""
    libraries = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    packages = [*libraries, *site.getsitepackages(), f"{sys.base_prefix}/lib", *gateway.__path__]
    return tuple(sorted({Path(one) for one in packages if one}))


def list_gpu_devices(devices: Path = Path("/dev")) -> tuple[Path, ...]:
    """The device nodes through which a GPU is used; none where there is no driver."""
    found = (path for pattern in GPU_DEVICES for path in devices.glob(pattern))
    return tuple(sorted(path for path in found if stat.S_ISCHR(path.stat().st_mode)))


def restrict_files(readable: Iterable[Path], devices: Collection[Path] = ()) -> bool:
    """Let this process open ``readable`` and ``SYSTEM`` for reading and nothing else at all; whether the kernel can.

    What is open stays open. Where it can, it also takes TCP, signals to others and abstract Unix sockets away.

    Args:
        readable: files, or folders with all that is in them; those that are not there are left out.
        devices: a GPU's device nodes, to be written to as well and told what to do (ioctl(2)).

    Raises:
        Refused: the kernel has Landlock, but did not take the rules.
    """
    version = landlock_version()
    if not version:
        return False
    handled = (1 << _FILE_RIGHTS.get(version, _ALL_FILE_RIGHTS)) - 1
    attributes = struct.pack("=QQQ", handled, _TCP_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    try:
        for path in [*map(Path, SYSTEM), *readable]:
            _add_rule(ruleset, path, _READ_FILE, _READ_DIR)
        for path in map(Path, GPU_SYSTEM if devices else ()):
            _add_rule(ruleset, path, _READ_FILE, _READ_DIR)
        for path in devices:
            _add_rule(ruleset, path, (_READ_FILE | _WRITE_FILE | _IOCTL_DEV) & handled, 0)
        _add_rule(ruleset, Path(os.devnull), _READ_FILE | _WRITE_FILE, 0)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _add_rule(ruleset: int, path: Path, of_file: int, of_folder: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this machine
    try:
        rights = of_file | (of_folder if path.is_dir() else 0)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def limit_resources() -> None:
    """No core dump, and no byte more in any file, whoever opened it (setrlimit(2))."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def drop_capabilities() -> None:
    """Give up what a user namespace of its own gave this process: root's rights over that namespace.

    Raises:
        Refused: it has some, but can't give them up.
    """
    libc = _libc()
    for number in range(64):
        if libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 and ctypes.get_errno() == errno.EINVAL:
            break  # the last one was before
    header, nothing = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    if libc.capset(header, nothing) != 0:
        raise _refused()


# Calls to the kernel ------------------------------------------------------------------------------------------------

# asm/unistd_64.h and asm-generic/unistd.h. Another process would outlive the purge, and so would what lies in shared
# memory, queues and keyrings; the rest is a way to others' memory, to other namespaces, or to parts of the kernel
# that no visit has a use for.
_FORBIDDEN = {
    "x86_64": {
        **{"fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "ptrace": 101, "process_vm_readv": 310},
        **{"process_vm_writev": 311, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155},
        **{"chroot": 161, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "add_key": 248, "request_key": 249},
        **{"keyctl": 250, "init_module": 175, "finit_module": 313},
        **{"shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240},
    },
    "aarch64": {
        **{"execve": 221, "execveat": 281, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271},
        **{"unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "bpf": 280},
        **{"perf_event_open": 241, "userfaultfd": 282, "add_key": 217, "request_key": 218, "keyctl": 219},
        **{"init_module": 105, "finit_module": 273, "shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180},
    },
}
_FORBIDDEN_EVERYWHERE = {"io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "pidfd_getfd": 438}
_CLONE3 = 435
# linux/audit.h, then the numbers of clone and socket.
_MACHINES = {"x86_64": (0xC000003E, 56, 41), "aarch64": (0xC00000B7, 220, 198)}
_CLONE_THREAD, _AF_UNIX = 0x10000, 1
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000  # linux/seccomp.h
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # struct seccomp_data
_X32 = 0x40000000


def limit_calls() -> bool:
    """Forbid what starts another process or reaches out of this one (seccomp(2)); whether this machine is known.

    Threads may be started: ``clone3``, whose arguments no filter can see, is said to be missing, and the C library
    then uses ``clone``.

    Raises:
        Refused: the kernel did not take the filter.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    program = b"".join(_write_filter(*machine, _FORBIDDEN[platform.machine()].values()))
    held = ctypes.create_string_buffer(program)
    filter_ = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(held))
    if _libc().prctl(PR_SET_SECCOMP, 2, filter_, 0, 0) != 0:
        raise _refused()
    return True


def _write_filter(machine: int, clone: int, socket_: int, forbidden: Iterable[int]) -> Iterator[bytes]:
    """The filter in the kernel's own small language; each step skips what does not concern this call."""
    yield _step(_LOAD, _MACHINE_AT)
    yield _step(_JUMP_EQUAL, machine, 1, 0)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER_AT)
    yield _step(_JUMP_FROM, _X32, 0, 1)
    yield _step(_RETURN, _FAIL | errno.ENOSYS)
    yield _step(_JUMP_EQUAL, _CLONE3, 0, 1)
    yield _step(_RETURN, _FAIL | errno.ENOSYS)
    for number in (*forbidden, *_FORBIDDEN_EVERYWHERE.values()):
        yield _step(_JUMP_EQUAL, number, 0, 1)
        yield _step(_RETURN, _FAIL | errno.EPERM)
    yield _step(_JUMP_EQUAL, clone, 0, 3)
    yield _step(_LOAD, _FIRST_ARGUMENT_AT)
    yield _step(_JUMP_SET, _CLONE_THREAD, 4, 0)
    yield _step(_RETURN, _FAIL | errno.EPERM)
    yield _step(_JUMP_EQUAL, socket_, 0, 2)
    yield _step(_LOAD, _FIRST_ARGUMENT_AT)
    yield _step(_JUMP_EQUAL, _AF_UNIX, 0, 1)
    yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _FAIL | errno.EPERM)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(number, *arguments))
    if result < 0:
        raise _refused()
    return result


def _refused() -> Refused:
    number = ctypes.get_errno()
    return Refused(number, os.strerror(number))
