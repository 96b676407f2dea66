"""The sandbox's own record: a FHIR R4 server in memory.

In: ``FhirRequest``. Out: ``FhirReply``. Where R4 leaves a choice it does as HAPI 8.8 does: 409 for a stale If-Match,
200 for deleting what is not there, no new version for an update that changes nothing, ids of digits are the server's,
references have to exist and lose their version, and what is pointed to can't be deleted. Knows nothing of users and
tokens.
"""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlencode

from gateway.sandbox.fhir.backend import FHIR_JSON, FhirReply, FhirRequest, Resource, write_json
from gateway.sandbox.fhir.capability import build_capability
from gateway.sandbox.fhir.headers import (
    PRESENTATION,
    check_format,
    check_read_query,
    is_unchanged,
    read_body,
    read_form,
    read_if_match,
    read_since,
    wants_fhir,
)
from gateway.sandbox.fhir.interaction import Interaction, Kind, read_interaction
from gateway.sandbox.fhir.matching import match_criterion, references_of, sort_key
from gateway.sandbox.fhir.outcome import Refusal, build_outcome, write_refusal
from gateway.sandbox.fhir.parameters import COMMON
from gateway.sandbox.fhir.query import Query, read_query
from gateway.sandbox.fhir.revision import keep_labels, same_content, unpin_references
from gateway.sandbox.fhir.store import Store, Version
from gateway.sandbox.fhir.subscriptions import Subscriptions, answer_request
from gateway.sandbox.fhir.validation import (
    STORED_TYPES,
    find_references,
    split_reference,
)

_MIME_TYPE = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}(; ?[\w-]{1,32}=[\w.-]{1,64})*", re.ASCII)


def read_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class MemoryBackend:
    """An empty FHIR server.

    Args:
        base_url: the address under which clients see it; in Location, fullUrl and links.
        clock: now, UTC-aware.
        smart_url: the authorization server in front of it, for its CapabilityStatement.
    """

    def __init__(self, base_url: str, clock: Callable[[], datetime] = read_clock, smart_url: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._clock = clock
        self._store = Store()
        self.subscriptions = Subscriptions(self.base_url, clock)
        self._capability = build_capability(self.base_url, clock(), smart_url)

    async def handle(self, request: FhirRequest) -> FhirReply:
        """Answers one request; nothing else runs in between, so that two creates can't both find nothing."""
        try:
            return self._answer(request)
        except Refusal as refusal:
            return write_refusal(refusal)

    def _answer(self, request: FhirRequest) -> FhirReply:
        asked = read_interaction(request)
        if asked.type is not None and asked.type not in STORED_TYPES:
            known = ", ".join(sorted(STORED_TYPES))
            raise Refusal(404, "not-supported", f"Unknown resource type {asked.type}; this server knows {known}.")
        if asked.kind in (Kind.READ, Kind.VREAD):
            check_read_query(request)
        if asked.type != "Binary":
            check_format(request)
        match asked.kind:
            case Kind.CAPABILITIES:
                return _reply(200, self._capability)
            case Kind.READ | Kind.VREAD:
                return self._read(request, asked)
            case Kind.HISTORY:
                return self._list_history(request, asked)
            case Kind.SEARCH:
                return self._search(request, asked)
            case Kind.CREATE:
                return self._create(request, asked)
            case Kind.UPDATE:
                return self._update(request, asked)
            case Kind.DELETE:
                return self._delete(asked)
            case Kind.PAGE:
                raise Refusal(410, "not-found", "This server gives no such paging links.")

    # Reading

    def _read(self, request: FhirRequest, asked: Interaction) -> FhirReply:
        version = self._find_version(asked)
        if version.resource is None:
            gone = Refusal(410, "deleted", f"{version.type}/{version.id} was deleted at {version.when.isoformat()}.")
            return write_refusal(gone, {"Location": f"{self.base_url}/{version.path}"})
        if asked.kind is Kind.READ and is_unchanged(request, version):
            return FhirReply(304, {"ETag": version.etag})
        if version.type == "Binary" and not wants_fhir(request):
            return _reply_raw(version)
        return _reply(200, version.resource, self._describe(version))

    def _find_version(self, asked: Interaction) -> Version:
        type_, id_ = _name(asked)
        versions = self._store.history(type_, id_)
        if not versions:
            raise Refusal(404, "not-found", f"{type_}/{id_} is not known.")
        if asked.version is None:
            return versions[-1]
        found = next((v for v in versions if str(v.number) == asked.version), None)
        if found is None:
            raise Refusal(404, "not-found", f"{type_}/{id_} has no version {asked.version}.")
        return found

    def _list_history(self, request: FhirRequest, asked: Interaction) -> FhirReply:
        type_, id_ = _name(asked)
        versions = list(reversed(self._store.history(type_, id_)))
        if not versions:
            raise Refusal(404, "not-found", f"{type_}/{id_} is not known.")
        for name, _ in request.query:
            if name not in {*PRESENTATION, "_count", "_offset", "_since"}:
                raise Refusal(400, "not-supported", f"History does not take the parameter {name[:40]}.")
        since = [read_since(value) for name, value in request.query if name == "_since"]
        paging = read_query(type_, ((n, v) for n, v in request.query if n in ("_count", "_offset")))
        versions = [v for v in versions if all(v.when >= moment for moment in since)]
        page = versions[paging.offset : paging.offset + paging.count]
        links = [{"relation": "self", "url": self._link(request.path, request.query)}]
        if paging.count and len(versions) > paging.offset + paging.count:
            links.append(self._link_next(request.path, request.query, paging.offset + paging.count))
        bundle = {
            "resourceType": "Bundle",
            "meta": {"lastUpdated": self._clock().isoformat(timespec="milliseconds")},
            "type": "history",
            "total": len(versions),
            "link": links,
        }
        return _reply(200, bundle | ({"entry": [self._describe_version(v) for v in page]} if page else {}))

    def _describe_version(self, version: Version) -> Resource:
        entry: Resource = {"fullUrl": f"{self.base_url}/{version.type}/{version.id}"}
        if version.resource is not None:
            entry["resource"] = version.resource
        status = "201 Created" if version.number == 1 else "200 OK"
        return entry | {
            "request": {"method": version.method, "url": version.path},
            "response": {
                "status": status,
                "etag": version.etag,
                "lastModified": version.when.isoformat(timespec="milliseconds"),
            },
        }

    # Searching

    def _search(self, request: FhirRequest, asked: Interaction) -> FhirReply:
        assert asked.type is not None
        pairs = request.query
        if request.method == "POST":
            pairs += read_form(request)
        query = read_query(asked.type, pairs)
        snapshot = self._store.sequence if query.snapshot is None else query.snapshot
        found = self._find(query, snapshot)
        page = found[query.offset : query.offset + query.count]
        included = self._include(query, page, snapshot)
        links = [{"relation": "self", "url": self._link(asked.type, pairs)}]
        if query.count and len(found) > query.offset + query.count:
            links.append(self._link_next(asked.type, pairs, query.offset + query.count, snapshot))
        bundle: Resource = {
            "resourceType": "Bundle",
            "meta": {"lastUpdated": self._clock().isoformat(timespec="milliseconds")},
            "type": "searchset",
            "total": len(found),
            "link": links,
        }
        entries = [self._describe_match(v, "match") for v in page]
        entries += [self._describe_match(v, "include") for v in included]
        return _reply(200, bundle | ({"entry": entries} if entries else {}))

    def _find(self, query: Query, snapshot: int | None = None) -> list[Version]:
        found = [
            version
            for version in self._store.living(query.type, snapshot)
            if version.resource is not None
            and all(match_criterion(version.resource, c, self.base_url) for c in query.criteria)
        ]
        for parameter, descending in reversed(query.sort):
            keyed = [(sort_key(version.resource or {}, parameter), version) for version in found]
            # What was written within one millisecond is told apart by the order of writing.
            by_time = parameter is COMMON["_lastUpdated"]
            there = [((key, v.sequence if by_time else 0), v) for key, v in keyed if key is not None]
            there.sort(key=lambda pair: pair[0], reverse=descending)
            found = [version for _, version in there] + [version for key, version in keyed if key is None]
        return found

    def _include(self, query: Query, page: list[Version], snapshot: int) -> list[Version]:
        found: dict[tuple[str, str], Version] = {}
        matched = {(version.type, version.id) for version in page}
        for include in query.include:
            for version in page:
                for type_, id_ in references_of(version.resource or {}, include.parameter):
                    target = self._store.latest(type_, id_, snapshot)
                    if target and target.resource is not None and include.target in (None, type_):
                        found[type_, id_] = target
        for include in query.revinclude:
            for version in self._store.living(include.source, snapshot):
                if matched.intersection(references_of(version.resource or {}, include.parameter)):
                    found[version.type, version.id] = version
        return [version for key, version in found.items() if key not in matched]

    def _describe_match(self, version: Version, mode: str) -> Resource:
        return {
            "fullUrl": f"{self.base_url}/{version.type}/{version.id}",
            "resource": version.resource,
            "search": {"mode": mode},
        }

    # Writing

    def _create(self, request: FhirRequest, asked: Interaction) -> FhirReply:
        assert asked.type is not None
        resource = read_body(request, asked.type)
        condition = request.header("if-none-exist")
        if condition:
            existing = self._find_existing(asked.type, condition)
            if existing is not None:
                return self._reply_written(request, 200, existing)
        self._check_references(resource)
        resource = answer_request(unpin_references(resource))
        version = self._write(asked.type, self._store.new_id(asked.type), "POST", resource)
        return self._reply_written(request, 201, version)

    def _find_existing(self, type_: str, condition: str) -> Version | None:
        """The one match of If-None-Exist (https://hl7.org/fhir/R4/http.html#ccreate); None if there is none."""
        pairs = parse_qsl(condition.rpartition("?")[2], keep_blank_values=True)
        query = read_query(type_, pairs)
        if not query.criteria:
            raise Refusal(400, "value", "If-None-Exist needs a search that says which resource is meant.")
        found = self._find(query)
        if len(found) > 1:
            raise Refusal(412, "multiple-matches", f"If-None-Exist matches {len(found)} resources.")
        return found[0] if found else None

    def _update(self, request: FhirRequest, asked: Interaction) -> FhirReply:
        type_, id_ = _name(asked)
        resource = read_body(request, type_)
        if "id" not in resource:
            raise Refusal(400, "value", "The body of an update must hold the id of its address.")
        if resource["id"] != id_:
            raise Refusal(400, "value", "The id in the body is not the id of the address.")
        latest = self._store.latest(type_, id_)
        wanted = read_if_match(request)
        if latest is None and id_.isdigit():
            raise Refusal(400, "value", "Ids that clients choose must hold at least one that is no digit.")
        if latest is not None and wanted is not None and wanted != latest.number:
            raise Refusal(409, "conflict", f"The current version is {latest.number}, not {wanted}.")
        self._check_references(resource)
        resource = answer_request(unpin_references(resource))
        if latest is not None and latest.resource is not None:
            resource = keep_labels(latest.resource, resource)
        if latest is not None and latest.resource is not None and same_content(latest.resource, resource):
            return self._reply_written(request, 200, latest)
        fresh = latest is None or latest.resource is None
        version = self._write(type_, id_, "POST" if latest is None else "PUT", resource)
        return self._reply_written(request, 201 if fresh else 200, version)

    def _delete(self, asked: Interaction) -> FhirReply:
        type_, id_ = _name(asked)
        latest = self._store.latest(type_, id_)
        if latest is None or latest.resource is None:
            return _reply(200, build_outcome("informational", "Nothing was deleted: it is not there.", "information"))
        user = self._find_user(type_, id_)
        if user is not None:
            raise Refusal(409, "conflict", f"{type_}/{id_} can't be deleted: {user} refers to it.")
        self._write(type_, id_, "DELETE", None)
        return _reply(200, build_outcome("informational", "Deleted.", "information"))

    def _write(self, type_: str, id_: str, method: str, resource: Resource | None) -> Version:
        before = self._store.latest(type_, id_)
        version = self._store.add(type_, id_, method, self._clock(), resource)
        self.subscriptions.note(type_, id_, before.resource if before else None, version.resource)
        return version

    def _find_user(self, type_: str, id_: str) -> str | None:
        for other in sorted(STORED_TYPES):
            for version in self._store.living(other):
                pointed = (split_reference(r) for _, r in find_references(version.resource or {}))
                if (other, version.id) != (type_, id_) and (type_, id_) in pointed:
                    return f"{other}/{version.id}"
        return None

    def _check_references(self, resource: Resource) -> None:
        for path, reference in find_references(resource):
            parts = split_reference(reference)
            target = self._store.latest(*parts) if parts else None
            own = parts == (resource["resourceType"], resource.get("id"))
            if not own and (target is None or target.resource is None):
                raise Refusal(400, "not-found", f"{path}: there is no {reference} on this server.", where=path)

    # Replying

    def _reply_written(self, request: FhirRequest, status: int, version: Version) -> FhirReply:
        """As ``Prefer`` asks (https://hl7.org/fhir/R4/http.html#return); the whole resource if it does not."""
        headers = self._describe(version)
        if request.method == "POST":
            headers["Location"] = f"{self.base_url}/{version.path}"
        prefer = re.search(r"return=(\w+)", request.header("prefer") or "")
        match prefer and prefer.group(1):
            case "minimal":
                return FhirReply(status, headers)
            case "OperationOutcome":
                outcome = build_outcome("informational", f"{version.path} is in the record.", "information")
                return _reply(status, outcome, headers)
            case _:
                return _reply(status, version.resource or {}, headers)

    def _describe(self, version: Version) -> dict[str, str]:
        return {
            "ETag": version.etag,
            "Last-Modified": format_datetime(version.when.astimezone(UTC), usegmt=True),
            "Content-Location": f"{self.base_url}/{version.path}",
        }

    def _link(self, path: str, pairs: tuple[tuple[str, str], ...]) -> str:
        return f"{self.base_url}/{path.strip('/')}" + (f"?{urlencode(pairs)}" if pairs else "")

    def _link_next(
        self, path: str, pairs: tuple[tuple[str, str], ...], offset: int, snapshot: int | None = None
    ) -> dict[str, str]:
        kept = tuple(pair for pair in pairs if pair[0] not in ("_offset", "_snapshot"))
        kept += (("_offset", str(offset)),) + ((("_snapshot", str(snapshot)),) if snapshot is not None else ())
        return {"relation": "next", "url": self._link(path, kept)}


def _name(asked: Interaction) -> tuple[str, str]:
    assert asked.type is not None
    assert asked.id is not None
    return asked.type, asked.id


def _reply(status: int, resource: Resource, headers: dict[str, str] | None = None) -> FhirReply:
    return FhirReply(status, {"Content-Type": FHIR_JSON, **(headers or {})}, write_json(resource))


def _reply_raw(version: Version) -> FhirReply:
    """A Binary's own content, as an attachment so that no browser runs it in the sandbox's origin."""
    resource = version.resource or {}
    kind = str(resource["contentType"])
    headers = {
        "Content-Type": kind if _MIME_TYPE.fullmatch(kind) else "application/octet-stream",
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
        "ETag": version.etag,
    }
    return FhirReply(200, headers, base64.b64decode(resource.get("data", "")))
