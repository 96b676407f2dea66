"""Holds every FHIR call against its token: scopes of both versions, the patient, restrictions by search, signed notes.

In: a request with its bearer token, then the reply. Out: the reply as this token may see it, or a refusal (401 with
``invalid_token``, 403 with ``insufficient_scope``, 409 for a signed note). It never changes a request: what a token may
not see of a search is taken out of the answer, so that the guard works in front of any FHIR server.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from gateway.sandbox.fhir.backend import FhirBackend, FhirReply, FhirRequest, Resource, write_json
from gateway.sandbox.fhir.capability import describe_security
from gateway.sandbox.fhir.client import FhirClient, FhirRefused
from gateway.sandbox.fhir.interaction import Interaction, Kind, read_interaction
from gateway.sandbox.fhir.outcome import Refusal, write_refusal
from gateway.sandbox.smart.compartment import Compartment
from gateway.sandbox.smart.grants import Grant, Grants
from gateway.sandbox.smart.scopes import ResourceScope
from gateway.sandbox.smart.server import Addresses

#: The letter of a scope that each interaction needs; a page of a search is looked at entry by entry.
_LETTERS = {
    Kind.READ: "r",
    Kind.VREAD: "r",
    Kind.HISTORY: "r",
    Kind.SEARCH: "s",
    Kind.CREATE: "c",
    Kind.UPDATE: "u",
    Kind.DELETE: "d",
}

#: Says why a resource must not be changed by an app, or None (the chart locks signed notes).
FindLock = Callable[[Resource], str | None]


class Challenge(Refusal):
    """A refusal that tells the app what token it would need (RFC 6750, section 3)."""

    def __init__(self, status: int, words: str, error: str | None = None, scope: str | None = None) -> None:
        super().__init__(status, "login" if status == 401 else "forbidden", words)
        parts = ['Bearer realm="sandbox"']
        if error:
            parts += [f'error="{error}"', f'error_description="{words}"']
        if scope:
            parts.append(f'scope="{scope}"')
        self.headers = {"WWW-Authenticate": ", ".join(parts)}


@dataclass(frozen=True, slots=True)
class Access:
    """What ``allow`` found out, for ``filter_reply``. ``grant`` is None where no token is needed."""

    interaction: Interaction
    grant: Grant | None
    scopes: tuple[ResourceScope, ...] = ()


class SmartGuard:
    """The guard of ``create_fhir_routes``."""

    def __init__(
        self, grants: Grants, backend: FhirBackend, addresses: Addresses, find_lock: FindLock = lambda _: None
    ) -> None:
        self._grants, self._addresses, self._find_lock = grants, addresses, find_lock
        self._record = FhirClient(backend)
        self._compartment = Compartment(self._record)

    async def allow(self, request: FhirRequest, bearer: str | None) -> Access:
        """
        Raises:
            Refusal: no token, one that has ended, one that does not reach this far, or a signed note.
        """
        interaction = read_interaction(request)
        if interaction.kind is Kind.CAPABILITIES:
            return Access(interaction, None)
        if bearer is None:
            raise Challenge(401, "This server needs an access token; see .well-known/smart-configuration.")
        found = self._grants.find_access(bearer)
        if found is None:
            raise Challenge(401, "The access token is unknown, expired or revoked.", "invalid_token")
        grant = found[0]
        if interaction.kind is Kind.PAGE:
            return Access(interaction, grant)
        access = Access(interaction, grant, self._find_scopes(grant, interaction))
        if interaction.kind in (Kind.CREATE, Kind.UPDATE, Kind.DELETE):
            await self._allow_write(access, request)
        return access

    async def filter_reply(self, access: Access, request: FhirRequest, reply: FhirReply) -> FhirReply:
        """
        Raises:
            Refusal: the reply is about something that this token may not see.
        """
        resource = reply.resource()
        if access.interaction.kind is Kind.CAPABILITIES and resource is not None:
            return _rewrite(reply, _announce_smart(resource, self._addresses))
        if resource is None or resource["resourceType"] == "OperationOutcome" or reply.status >= 400:
            return reply
        if resource["resourceType"] == "Bundle":
            return _rewrite(reply, await self._filter_bundle(access, resource))
        if access.grant and access.interaction.kind is not Kind.DELETE:
            permitted = await self._find_permitted(access.grant, access.scopes, [resource])
            if not permitted:
                raise _refuse_patient()
        return reply

    def _find_scopes(self, grant: Grant, interaction: Interaction) -> tuple[ResourceScope, ...]:
        letter, type_ = _LETTERS[interaction.kind], str(interaction.type)
        scopes = grant.scopes.find(letter, type_)
        if not scopes:
            needed = f"{'patient' if grant.patient else 'user' if grant.user else 'system'}/{type_}.{letter}"
            raise Challenge(
                403, f"The token's scopes do not permit this; it needs {needed}.", "insufficient_scope", needed
            )
        usable = tuple(scope for scope in scopes if scope.level != "patient" or grant.patient)
        if not usable:
            words = "The token has patient scopes, but its launch has no patient."
            raise Challenge(403, words, "insufficient_scope")
        return usable

    async def _allow_write(self, access: Access, request: FhirRequest) -> None:
        """Both what is there and what is to be there must be within the scopes, and nothing of it signed."""
        grant, interaction = access.grant, access.interaction
        assert grant is not None
        scopes = tuple(scope for scope in access.scopes if not scope.restrictions)
        if not scopes:
            words = "A scope restricted by search permits reading only at this server."
            raise Challenge(403, words, "insufficient_scope")
        reaches_everything = any(self._bound_patient(grant, scope) is None for scope in scopes)
        before = None
        if interaction.kind is not Kind.CREATE:
            before = await self._read_present(str(interaction.type), str(interaction.id))
        if before is not None and (lock := self._find_lock(before)):
            raise Refusal(409, "conflict", lock)
        if reaches_everything:
            return
        after = None if interaction.kind is Kind.DELETE else FhirReply(0, {}, request.body).resource()
        patients = {str(self._bound_patient(grant, scope)) for scope in scopes}
        for resource in (before, after):
            if resource is not None and not await self._compartment.belongs_only_to(resource, patients):
                raise _refuse_patient()

    async def _filter_bundle(self, access: Access, bundle: Resource) -> Resource:
        """A search or a history with only those entries left that this token may see."""
        grant = access.grant
        assert grant is not None
        entries: list[dict[str, Any]] = bundle.get("entry", [])
        resources = [entry["resource"] for entry in entries if "resource" in entry]
        seen: list[Resource] = []
        for type_ in {resource["resourceType"] for resource in resources}:
            own = type_ == access.interaction.type and access.scopes
            scopes = access.scopes if own else grant.scopes.find("s", type_) or grant.scopes.find("r", type_)
            same = [resource for resource in resources if resource["resourceType"] == type_]
            seen += same if type_ == "OperationOutcome" else await self._find_permitted(grant, scopes, same)
        left = [entry for entry in entries if "resource" not in entry or any(entry["resource"] is one for one in seen)]
        if len(left) == len(entries):
            return bundle
        changed = {**bundle, "entry": left}
        if not left:
            del changed["entry"]
        if "total" in changed:
            matches = [entry for entry in left if entry.get("search", {}).get("mode", "match") == "match"]
            changed["total"] = len(matches)
            if any(link.get("relation") == "next" for link in bundle.get("link", ())):
                del changed["total"]  # how many more pages hold is not known before they are looked at
        return changed

    async def _find_permitted(
        self, grant: Grant, scopes: Iterable[ResourceScope], resources: list[Resource]
    ) -> list[Resource]:
        """Those of some resources of one type that at least one of the scopes lets be seen."""
        permitted: list[Resource] = []
        for scope in scopes:
            if scope.level == "patient" and grant.patient is None:
                continue
            patient = self._bound_patient(grant, scope)
            rest = [one for one in resources if not any(one is each for each in permitted)]
            if patient is not None:
                rest = [one for one in rest if await self._compartment.may_see(one, patient)]
            permitted += await self._match_restrictions(scope, rest) if scope.restrictions else rest
        return permitted

    async def _match_restrictions(self, scope: ResourceScope, resources: list[Resource]) -> list[Resource]:
        """Those that the scope's own search finds, as they are now (a version in a history is as its resource)."""
        if not resources:
            return []
        ids = ("_id", ",".join(sorted({resource["id"] for resource in resources})))
        found = await self._record.search(resources[0]["resourceType"], ids, *scope.restrictions)
        matching = {resource["id"] for resource in found}
        return [resource for resource in resources if resource["id"] in matching]

    async def _read_present(self, type_: str, id_: str) -> Resource | None:
        try:
            return await self._record.read(type_, id_)
        except FhirRefused as refused:
            if refused.status in (404, 410):
                return None
            raise Refusal(502, "transient", "The record behind this server does not answer.") from refused

    @staticmethod
    def _bound_patient(grant: Grant, scope: ResourceScope) -> str | None:
        """The one patient that a scope reaches: the launch's, or the user where the user is a patient."""
        if scope.level == "patient":
            return grant.patient
        if scope.level == "user" and grant.user and grant.user.startswith("Patient/"):
            return grant.user.removeprefix("Patient/")
        return None


class GuardedBackend:
    """A backend behind the guard: the token comes in the request's Authorization header."""

    def __init__(self, guard: SmartGuard, backend: FhirBackend) -> None:
        self._guard, self._backend = guard, backend

    async def handle(self, request: FhirRequest) -> FhirReply:
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        bearer = token.strip() or None if scheme.lower() == "bearer" else None
        try:
            access = await self._guard.allow(request, bearer)
            return await self._guard.filter_reply(access, request, await self._backend.handle(request))
        except Challenge as challenge:
            return write_refusal(challenge, challenge.headers)
        except Refusal as refusal:
            return write_refusal(refusal)


def _refuse_patient() -> Challenge:
    return Challenge(403, "This is not about the patient that the token was issued for.", "insufficient_scope")


def _rewrite(reply: FhirReply, resource: Resource) -> FhirReply:
    return replace(reply, body=write_json(resource))


def _announce_smart(capabilities: Resource, addresses: Addresses) -> Resource:
    """The CapabilityStatement with the way to get a token, whichever server it is of."""
    security = describe_security(addresses.issuer)
    return {**capabilities, "rest": [{**one, "security": security} for one in capabilities.get("rest", [])]}
