#!/usr/bin/env bash
# Installs the locked dependencies into a virtual environment. usage: setup.sh VENV
# Every failure is one sentence that says what to do.
set -euo pipefail
venv=$1
python=${PYTHON:-python3}
fail() { echo "setup: $1" >&2; exit 1; }

command -v "$python" >/dev/null || fail "Python is not installed; install Python 3.11 or newer and run this again."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old; install Python 3.11 or newer, or name one with PYTHON=/path/to/python3.11."
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "this Python has no venv module; install it (Debian: apt-get install python3-venv) and run this again."
command -v "${CXX:-c++}" >/dev/null ||
  fail "no C++ compiler was found; install one (Debian: apt-get install build-essential) and run this again."
free_kb=$(df -Pk . | awk 'NR==2 {print $4}')
[ "$free_kb" -ge 3000000 ] ||
  fail "the disk has $((free_kb / 1024)) MB free and the installation needs 3000 MB; make room and run this again."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
step() {
  echo "setup: $1"
  shift
  "$@" >"$log" 2>&1 || { tail -n 15 "$log" >&2; fail "that step failed; the reason stands above."; }
}
[ -x "$venv/bin/pip" ] || step "making $venv" "$python" -m venv "$venv"
step "installing the installer" "$venv/bin/pip" install --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
# A build for other machines of this kind too, without what this processor lacks. The installer keeps it under these
# settings; CMAKE_ARGS would not count, so that a kept build with others could be taken.
unset CMAKE_ARGS
llama=(--config-settings-package llama-cpp-python:cmake.define.GGML_NATIVE=OFF)
for set in AVX AVX2 BMI2 FMA F16C; do
  [ "$(uname -m)" != x86_64 ] || grep -qiw "$set" /proc/cpuinfo ||
    llama+=(--config-settings-package "llama-cpp-python:cmake.define.GGML_$set=OFF")
done
step "installing the dependencies (the first time compiles llama.cpp: 2 to 10 minutes)" \
  "$venv/bin/uv" pip sync --python "$venv/bin/python" --require-hashes "${llama[@]}" -b requirements/build.lock \
  requirements/dev.lock
step "installing Countersign" \
  "$venv/bin/uv" pip install --python "$venv/bin/python" --no-deps -b requirements/build.lock -e .
echo "setup: done"
