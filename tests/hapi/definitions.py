"""What a HAPI server must know before it judges what the gateway writes: US Core, the project's profiles, a few codes.

In: the base of a FHIR R4 server, a plain container included. Out: the same server, with ``fhir_profiles`` loaded. All
of it before the first ``$validate``, since HAPI remembers for minutes that a code is unknown.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PROFILES = Path(__file__).parents[2] / "fhir_profiles"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
US_CORE_VERSION = "6.1.0"
OWN = "https://countersign.dev/fhir/StructureDefinition/countersign-"
MARKER = "countersign-tests-marker"
FHIR_JSON = {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json", "Cache-Control": "no-cache"}
PATIENCE_SECONDS = 120  # the first $validate reads every definition that the server has


class Unfit(Exception):
    """The server can't be used; its words say what to do."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One remark of ``$validate``."""

    severity: str
    place: str
    words: str


class HapiServer:
    """A HAPI server as the tests speak to it, past every sign-in."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self.http = httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False, headers=FHIR_JSON)

    def read(self, path: str, **query: str) -> dict[str, Any]:
        reply = self.http.get(f"{self.base}/{path}", params=query)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def search(self, type_: str, **query: str) -> list[dict[str, Any]]:
        return [entry["resource"] for entry in self.read(type_, **query, _count="500").get("entry", [])]

    def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        reply = self.http.put(f"{self.base}/{resource['resourceType']}/{resource['id']}", json=resource)
        assert reply.status_code in (200, 201), reply.text
        return dict(reply.json())

    def delete(self, resource: dict[str, Any]) -> None:
        reply = self.http.delete(f"{self.base}/{resource['resourceType']}/{resource['id']}")
        assert reply.status_code in (200, 204), reply.text

    def validate(self, resource: dict[str, Any], profile: str = "") -> list[Issue]:
        """What the server says of a resource, as plain R4 or as a profile; remarks that find nothing are left out."""
        url = f"{self.base}/{resource['resourceType']}/$validate"
        reply = self.http.post(url, params={"profile": profile} if profile else {}, json=resource)
        assert reply.status_code in (200, 412, 422), reply.text
        outcome = reply.json()
        assert outcome["resourceType"] == "OperationOutcome"
        return [
            Issue(one["severity"], ", ".join(one.get("expression") or one.get("location") or []), one["diagnostics"])
            for one in outcome["issue"]
            if one["severity"] != "information"
        ]

    def mark_now(self) -> str:
        """This instant by the server's own clock, for ``list_written``."""
        marker = {"resourceType": "Basic", "id": MARKER, "code": {"text": secrets.token_hex(8)}}
        return str(self.put(marker)["meta"]["lastUpdated"])

    def list_written(self, since: str) -> list[str]:
        """``DocumentReference/7/_history/1`` for every version that anybody stored since ``mark_now``."""
        entries = self.read("_history", _since=since, _count="500").get("entry", [])
        versions = [entry["resource"] for entry in entries if "resource" in entry]
        return sorted(
            f"{one['resourceType']}/{one['id']}/_history/{one['meta']['versionId']}"
            for one in versions
            if one["id"] != MARKER
        )


def load_definitions(server: HapiServer) -> None:
    """Load ``fhir_profiles``; what the server has from elsewhere stays.

    Raises:
        Unfit: no FHIR R4 server answers there, or it lacks US Core.
    """
    _require_r4(server)
    held = server.search("StructureDefinition", url=f"{US_CORE}documentreference")
    if US_CORE_VERSION not in [one.get("version") for one in held]:
        raise Unfit(
            f"The FHIR server at {server.base} has no US Core {US_CORE_VERSION}: start HAPI with "
            "hapi.fhir.implementationguides.uscore.name=hl7.fhir.us.core and "
            f"hapi.fhir.implementationguides.uscore.version={US_CORE_VERSION}, as in compose.yaml, and run this again."
        )
    bundle = read_json(PROFILES / "Bundle-codes-for-tests.json")
    for entry in bundle["entry"]:
        codes = entry["resource"]
        known = server.search("CodeSystem", url=codes["url"])
        if not any(_covers(one, codes["concept"], codes["id"]) for one in known):
            server.put(codes)
    for file in sorted([*PROFILES.glob("CodeSystem-*.json"), *PROFILES.glob("StructureDefinition-*.json")]):
        server.put(read_json(file))


def read_json(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _require_r4(server: HapiServer) -> None:
    try:
        statement = server.http.get(f"{server.base}/metadata").json()
        found = statement.get("fhirVersion") if isinstance(statement, dict) else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        found = None
    if found != "4.0.1":
        raise Unfit(
            f"No FHIR R4 server answers at {server.base}: put its base address, such as http://127.0.0.1:8080/fhir, "
            "in COUNTERSIGN_HAPI, or leave that out and `make hapi` starts one."
        )


def _covers(held: dict[str, Any], concepts: Sequence[dict[str, str]], id_: str) -> bool:
    """Whether the server's copy is somebody else's, which it is then not for a test to replace, or has every code."""
    codes = {one["code"] for one in held.get("concept", [])}
    return held["id"] != id_ or {one["code"] for one in concepts} <= codes
