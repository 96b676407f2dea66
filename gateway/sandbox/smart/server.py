"""The authorization server as one object: its addresses, its memory and its switches, handed to each endpoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.responses import Response

from gateway.sandbox.smart.clients import Clients
from gateway.sandbox.smart.grants import Grants
from gateway.sandbox.smart.keys import SigningKey
from gateway.sandbox.smart.policy import Policy


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are: FHIR below ``/fhir``, authorization beside it below ``/auth``. ``origin`` has no slash."""

    origin: str

    @property
    def fhir(self) -> str:
        return f"{self.origin}/fhir"

    @property
    def issuer(self) -> str:
        """The OpenID provider's name; not the FHIR base, as with most EHRs."""
        return f"{self.origin}/auth"

    def endpoint(self, name: str) -> str:
        return f"{self.issuer}/{name}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a picker: what it stands for and how it reads."""

    id: str
    title: str
    detail: str = ""


class Directory(Protocol):
    """Whom and what a standalone launch may choose among, and who is signed in to the EHR."""

    @property
    def user(self) -> str:
        """The signed-in clinician, as a relative reference."""
        ...

    async def list_patients(self) -> Sequence[Choice]: ...

    async def list_encounters(self, patient: str) -> Sequence[Choice]: ...


class Render(Protocol):
    """Makes a page from a template of the sandbox."""

    def __call__(self, template: str, values: Mapping[str, Any], status: int = 200) -> Response: ...


@dataclass(frozen=True, slots=True)
class SmartServer:
    """All that the endpoints share. ``now`` gives seconds since 1970."""

    addresses: Addresses
    clients: Clients
    grants: Grants
    policy: Policy
    directory: Directory
    render: Render
    now: Callable[[], float]
    key: SigningKey = field(default_factory=SigningKey)
