"""A few typed calls over a backend, for the sandbox's own pages and seed data."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from gateway.sandbox.fhir.backend import FHIR_JSON, FhirBackend, FhirReply, FhirRequest, Resource, write_json
from gateway.sandbox.fhir.outcome import build_outcome

_JSON = {
    "Content-Type": FHIR_JSON,
    "Accept": "application/fhir+json",
    "Prefer": "return=representation",
    # HAPI answers a repeated search from its cache for a minute unless it is asked not to.
    "Cache-Control": "no-cache",
}


class FhirRefused(Exception):
    """The server said no. ``outcome`` is its OperationOutcome (made up here if it sent none)."""

    def __init__(self, status: int, outcome: Resource) -> None:
        issues = outcome.get("issue") or [{}]
        super().__init__(f"{status}: {issues[0].get('diagnostics') or issues[0].get('code')}")
        self.status, self.outcome = status, outcome


class FhirClient:
    """Reads and writes resources as dictionaries; every refusal is a ``FhirRefused``."""

    def __init__(self, backend: FhirBackend) -> None:
        self._backend = backend

    async def read(self, type_: str, id_: str) -> Resource:
        return await self._ask(FhirRequest("GET", f"{type_}/{id_}", headers=_JSON))

    async def search(self, type_: str, *parameters: tuple[str, str], limit: int = 1000) -> list[Resource]:
        """Every match (not the included ones), page after page, at most ``limit``."""
        found: list[Resource] = []
        request: FhirRequest | None = FhirRequest("GET", type_, tuple(parameters), _JSON)
        while request and len(found) < limit:
            bundle = await self._ask(request)
            found += [
                entry["resource"]
                for entry in bundle.get("entry", ())
                if entry.get("search", {}).get("mode", "match") == "match" and "resource" in entry
            ]
            request = _follow_next(bundle, type_)
        return found[:limit]

    async def create(self, resource: Resource, *, if_none_exist: str | None = None) -> Resource:
        """Stores it under an id of the server's and returns what was stored (or what was there before)."""
        headers = _JSON | ({"If-None-Exist": if_none_exist} if if_none_exist else {})
        return await self._ask(
            FhirRequest("POST", resource["resourceType"], headers=headers, body=write_json(resource))
        )

    async def update(self, resource: Resource, *, if_match: str | None = None) -> Resource:
        """Stores it under its own id, new or not. ``if_match`` is a version (``2``); a stale one is refused."""
        headers = _JSON | ({"If-Match": f'W/"{if_match}"'} if if_match else {})
        path = f"{resource['resourceType']}/{resource['id']}"
        return await self._ask(FhirRequest("PUT", path, headers=headers, body=write_json(resource)))

    async def delete(self, type_: str, id_: str) -> None:
        _check(await self._backend.handle(FhirRequest("DELETE", f"{type_}/{id_}", headers=_JSON)))

    async def history(self, type_: str, id_: str) -> list[Resource]:
        """The versions that hold a resource, newest first (a deletion holds none)."""
        bundle = await self._ask(FhirRequest("GET", f"{type_}/{id_}/_history", headers=_JSON))
        return [entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry]

    async def _ask(self, request: FhirRequest) -> Resource:
        reply = _check(await self._backend.handle(request))
        resource = reply.resource()
        if resource is None:
            raise FhirRefused(reply.status, build_outcome("structure", "The answer holds no resource."))
        return resource


def _check(reply: FhirReply) -> FhirReply:
    if 200 <= reply.status < 300:
        return reply
    outcome = reply.resource()
    if outcome is None or outcome.get("resourceType") != "OperationOutcome":
        outcome = build_outcome("unknown", f"The server answered {reply.status} without an OperationOutcome.")
    raise FhirRefused(reply.status, outcome)


def _follow_next(bundle: Mapping[str, object], type_: str) -> FhirRequest | None:
    """The request behind a Bundle's next link; the link's own base is left away, the backend knows its own."""
    links = bundle.get("link")
    for link in links if isinstance(links, Sequence) else ():
        if link.get("relation") == "next":
            address = urlsplit(link["url"])
            query = tuple(parse_qsl(address.query, keep_blank_values=True))
            own_type = address.path.rstrip("/").rsplit("/", 1)[-1] == type_
            return FhirRequest("GET", type_ if own_type else "", query, _JSON)
    return None
