"""The FHIR REST client of a visit: read, search, create, update, and what the server says it can do.

It knows one base address (the broker's ``/fhir`` inside a visit, where the token is added outside) and holds no
credential. Foreign resources are plain JSON: checked for type and id, entry by entry, never trusted as a whole.
FHIR R4, "RESTful API" (3.1.0), https://hl7.org/fhir/R4/http.html.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import httpx

from gateway.ehr.exchange import GARBLED, Reply, read_object, require_success, send_request
from gateway.ehr.reference import Reference, is_id, parse_reference
from gateway.errors import EhrError, EhrGarbled

Resource = dict[str, Any]
FHIR_JSON = "application/fhir+json"
_LOCATION = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-._]+(?:/_history/[A-Za-z0-9\-._]+)?)/?$")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Every match that could be read. ``problems`` says in sentences what could not; empty: the whole answer."""

    matches: tuple[Resource, ...]
    included: tuple[Resource, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the EHR said it stored. ``created`` is False where a conditional create found one (HTTP 200)."""

    reference: Reference
    created: bool
    location: str
    resource: Resource | None


@dataclass(frozen=True, slots=True)
class Capability:
    """Of a CapabilityStatement (R4): by resource type the interactions, search parameters and conditional create."""

    fhir_version: str
    software: str
    interactions: Mapping[str, frozenset[str]]
    search_parameters: Mapping[str, frozenset[str]]
    conditional_create: frozenset[str]

    def supports(self, type_: str, interaction: str) -> bool:
        return interaction in self.interactions.get(type_, frozenset())


class FhirClient:
    """One EHR, seen through ``http``.

    Args:
        http: the client; over the broker's socket it has ``base_url="http://broker"``.
        base: the FHIR base as ``http`` reaches it, a path or an absolute URL.
        ehr_base: the EHR's own base URL, as it stands in ``next`` links and absolute references; empty: ``base``.
        timeout_seconds: for one exchange, from first to last byte.
        max_pages: how far a search follows ``next``.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base: str = "/fhir",
        *,
        ehr_base: str = "",
        timeout_seconds: float = 10.0,
        max_pages: int = 10,
    ) -> None:
        self._http = http
        self._base = base.rstrip("/")
        self.ehr_base = (ehr_base or base).rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._max_pages = max_pages

    async def read(self, type_: str, id_: str, version: str | None = None) -> Resource:
        """One resource, or one version of it.

        Raises:
            EhrError: no answer, a refusal, or an answer that is not this resource.
        """
        path = f"{type_}/{_checked_id(id_)}" + (f"/_history/{_checked_id(version)}" if version else "")
        resource = read_object(await self._send("GET", path))
        if resource.get("resourceType") != type_ or resource.get("id") != id_:
            raise EhrGarbled("ehr.wrong-resource", GARBLED, f"asked for a {type_}, got another resource")
        return resource

    async def search(self, type_: str, params: Mapping[str, str]) -> SearchResult:
        """Search one type and follow ``next`` within this EHR's base.

        Raises:
            EhrError: the first page can't be had; a later page that can't be had is a problem of the result.
        """
        pages = [read_object(await self._send("GET", type_, params=params))]
        problems: list[str] = []
        seen = {""}
        while link := _next_link(pages[-1]):
            path = self._own_path(link)
            if path is None or path in seen or len(pages) >= self._max_pages:
                problems.append(f"The EHR's list of {type_} resources goes on where it can't be followed.")
                break
            seen.add(path)
            try:
                pages.append(read_object(await self._send("GET", path)))
            except EhrError as error:
                problems.append(f"A part of the EHR's list of {type_} resources could not be read ({error.code}).")
                break
        return _read_pages(type_, pages, problems)

    async def history(self, type_: str, id_: str) -> SearchResult:
        """The first page of an instance's versions, newest first, as the server keeps them."""
        page = read_object(await self._send("GET", f"{type_}/{_checked_id(id_)}/_history"))
        return _read_pages(type_, [page], [], bundle_type="history")

    async def create(self, resource: Mapping[str, Any], *, if_none_exist: str | None = None) -> Stored:
        """Create a resource, and ask for its representation.

        Args:
            if_none_exist: the search of a conditional create, ``identifier=system|value``, already encoded.

        Raises:
            EhrGarbled: a success that does not say which resource it made: its outcome is unknown.
            EhrError: no answer (outcome unknown) or a refusal.
        """
        headers = {"Prefer": "return=representation"}
        if if_none_exist:
            headers["If-None-Exist"] = if_none_exist
        reply = await self._send("POST", str(resource["resourceType"]), body=resource, headers=headers)
        return _read_stored(reply, str(resource["resourceType"]))

    async def update(self, resource: Mapping[str, Any], *, version: str | None = None) -> Stored:
        """Update a resource; with ``version`` only if it is still that one (``If-Match``).

        Raises:
            EhrRefused: among others 409 (HAPI) or 412: it has changed.
        """
        headers = {"Prefer": "return=representation"}
        if version:
            headers["If-Match"] = f'W/"{version}"'
        path = f"{resource['resourceType']}/{_checked_id(resource['id'])}"
        reply = await self._send("PUT", path, body=resource, headers=headers)
        known = Reference(str(resource["resourceType"]), str(resource["id"]))
        return _read_stored(reply, known.type, known)

    async def capability(self) -> Capability:
        """What the server says it can do (``GET metadata``)."""
        statement = read_object(await self._send("GET", "metadata"))
        if statement.get("resourceType") != "CapabilityStatement":
            raise EhrGarbled("ehr.wrong-resource", GARBLED, "metadata is no CapabilityStatement")
        return _read_capability(statement)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        url = f"{self._base}{path}" if path.startswith("?") else f"{self._base}/{path}"
        # HAPI answers a repeated search from its cache otherwise; what was just filed or revoked would be missing.
        sent = {"Accept": FHIR_JSON, "Cache-Control": "no-cache", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = FHIR_JSON
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        request = self._http.build_request(method, url, params=params, content=content, headers=sent)
        return require_success(await send_request(self._http, request, timeout_seconds=self._timeout_seconds))

    def _own_path(self, link: str) -> str | None:
        """The part of a ``next`` link below the EHR's base; None where it leads anywhere else."""
        target = urljoin(self.ehr_base + "/", link)
        wanted, given = urlsplit(self.ehr_base), urlsplit(target)
        if (wanted.scheme, wanted.netloc) != (given.scheme, given.netloc) or given.fragment:
            return None
        steps = given.path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").split("/")
        if ".." in steps or not (given.path + "/").startswith(wanted.path + "/"):
            return None
        path = given.path[len(wanted.path) :].lstrip("/")
        return f"{path}?{given.query}" if given.query else path


def _checked_id(id_: object) -> str:
    if not is_id(id_):
        raise EhrGarbled("ehr.wrong-id", GARBLED, "an id that can't stand in a URL")
    return str(id_)


def _next_link(bundle: Resource) -> str:
    links = bundle.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next" and isinstance(link.get("url"), str):
            return cast(str, link["url"])
    return ""


def _read_pages(type_: str, pages: list[Resource], problems: list[str], bundle_type: str = "searchset") -> SearchResult:
    matches: list[Resource] = []
    included: list[Resource] = []
    for page in pages:
        if page.get("resourceType") != "Bundle" or page.get("type") != bundle_type:
            raise EhrGarbled("ehr.wrong-resource", GARBLED, f"a search for {type_} gave no {bundle_type}")
        entries = page.get("entry", [])
        if not isinstance(entries, list):
            problems.append(f"The EHR's list of {type_} resources can't be read.")
            continue
        for entry in entries:
            kind, resource = _read_entry(entry, type_)
            if kind == "match":
                matches.append(resource)
            elif kind == "include":
                included.append(resource)
            elif kind == "problem":
                problems.append(f"An entry in the EHR's list of {type_} resources can't be read.")
    return SearchResult(tuple(matches), tuple(included), tuple(problems))


def _read_entry(entry: object, type_: str) -> tuple[str, Resource]:
    """``match``, ``include``, ``aside`` (a remark of the server) or ``problem``, and the resource."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(resource, dict):
        return "problem", {}
    search = entry.get("search")
    mode = search.get("mode") if isinstance(search, dict) else None
    if resource.get("resourceType") == "OperationOutcome":
        issues = resource.get("issue")
        listed = [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
        grave = not listed or any(issue.get("severity") in ("error", "fatal") for issue in listed)
        return ("problem" if grave else "aside"), resource
    if mode == "include":
        return "include", resource
    if resource.get("resourceType") != type_ or not is_id(resource.get("id")):
        return "problem", {}
    return "match", resource


def _read_stored(reply: Reply, type_: str, known: Reference | None = None) -> Stored:
    """Which resource a create or update made: from the body, else from Location (Epic: relative, no body)."""
    location = reply.headers.get("location", "")
    match = _LOCATION.search(urlsplit(location).path if "://" in location else location)
    named = parse_reference(match[1]) if match else None
    resource: Resource | None = None
    if reply.content.strip():
        try:
            body = read_object(reply)
        except EhrGarbled:
            body = {}
        if body.get("resourceType") == type_ and is_id(body.get("id")):
            resource = body
        elif body.get("resourceType") != "OperationOutcome":
            raise EhrGarbled("ehr.wrong-reply", GARBLED, f"the reply to a {type_} is another thing")
    of_body = _reference_of_body(resource) if resource else None
    found = of_body or named or known
    others = [one for one in (of_body, named, known) if one is not None]
    if found is None or any((one.type, one.id) != (type_, found.id) for one in others):
        raise EhrGarbled("ehr.wrong-reply", GARBLED, f"the reply does not say which {type_} it is")
    version = found.version or (named.version if named else None) or _version_of_etag(reply)
    return Stored(Reference(type_, found.id, version), reply.status == 201, location, resource)


def _reference_of_body(resource: Resource) -> Reference:
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return Reference(resource["resourceType"], resource["id"], version if is_id(version) else None)


def _version_of_etag(reply: Reply) -> str | None:
    match = re.fullmatch(r'(?:W/)?"([^"]+)"', reply.headers.get("etag", ""))
    return match[1] if match and is_id(match[1]) else None


def _read_capability(statement: Resource) -> Capability:
    interactions: dict[str, frozenset[str]] = {}
    parameters: dict[str, frozenset[str]] = {}
    conditional: set[str] = set()
    software = statement.get("software")
    for rest in _objects(statement.get("rest")):
        if rest.get("mode") != "server":
            continue
        for part in _objects(rest.get("resource")):
            type_ = str(part.get("type", ""))
            interactions[type_] = frozenset(str(one.get("code")) for one in _objects(part.get("interaction")))
            parameters[type_] = frozenset(str(one.get("name")) for one in _objects(part.get("searchParam")))
            if part.get("conditionalCreate") is True:
                conditional.add(type_)
    return Capability(
        fhir_version=str(statement.get("fhirVersion", "")),
        software=str(software.get("name", "")) if isinstance(software, dict) else "",
        interactions=interactions,
        search_parameters=parameters,
        conditional_create=frozenset(conditional),
    )


def _objects(value: object) -> list[Resource]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
