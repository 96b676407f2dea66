#!/usr/bin/env bash
# Runs a command with COUNTERSIGN_HAPI naming a HAPI FHIR R4 server: the one that is named already, the one that
# ../shared/hapi/serve builds and starts, or the container image of the same version. usage: with_hapi.sh COMMAND...
set -euo pipefail
if [ -n "${COUNTERSIGN_HAPI:-}" ]; then exec "$@"; fi
root=$(cd "$(dirname "$0")/../.." && pwd)
port=${HAPI_PORT:-18090}
base=http://127.0.0.1:$port/fhir
log=$(mktemp)
server=
stop() {
  status=$?
  [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -f "$log"
  exit "$status"
}
trap stop EXIT
if [ -x "$root/../shared/hapi/serve" ]; then
  "$root/../shared/hapi/serve" "$port" >"$log" 2>&1 &
  server=$!
elif docker info >/dev/null 2>&1; then
  uscore=hapi.fhir.implementationguides.uscore
  docker run --rm -p "127.0.0.1:$port:8080" -e "$uscore.name=hl7.fhir.us.core" -e "$uscore.version=6.1.0" \
    hapiproject/hapi:v8.8.0-1 >"$log" 2>&1 &
  server=$!
else
  echo "hapi: no server: set COUNTERSIGN_HAPI to the base of a HAPI FHIR R4 server, or install Docker." >&2
  exit 1
fi
echo "hapi: starting (the first time builds it)"
for _ in $(seq 1 420); do
  kill -0 "$server" 2>/dev/null || { tail -n 15 "$log" >&2; echo "hapi: the server ended at start; the reason stands above." >&2; exit 1; }
  # The script that starts it says ready only once its terminology is loaded.
  if grep -q "^ready" "$log" || { [ ! -x "$root/../shared/hapi/serve" ] && curl -sf -o /dev/null "$base/metadata"; }; then
    COUNTERSIGN_HAPI=$base "$@"
    exit
  fi
  sleep 1
done
echo "hapi: the server was not ready within seven minutes; look at its log." >&2
exit 1
