"""Which of FHIR's interactions a request is (https://hl7.org/fhir/R4/http.html)."""

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.sandbox.fhir.backend import FhirRequest
from gateway.sandbox.fhir.outcome import Refusal

_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class Kind(StrEnum):
    """What a request does. ``PAGE`` follows a paging link that names no type (HAPI: ``?_getpages=…``)."""

    CAPABILITIES = "capabilities"
    READ = "read"
    VREAD = "vread"
    HISTORY = "history"
    SEARCH = "search"
    PAGE = "page"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Interaction:
    """``type`` is None for CAPABILITIES and PAGE; ``id`` and ``version`` are there where the path has them."""

    kind: Kind
    type: str | None = None
    id: str | None = None
    version: str | None = None


def read_interaction(request: FhirRequest) -> Interaction:
    """Tells from method and path what is asked; whether the type exists is the backend's matter.

    Raises:
        Refusal: 400, 404 or 405, for what is no interaction that the sandbox knows.
    """
    method = "GET" if request.method == "HEAD" else request.method
    match method, request.path.strip("/").split("/"):
        case "GET", ["metadata"]:
            return Interaction(Kind.CAPABILITIES)
        case "GET", [""] if any(name == "_getpages" for name, _ in request.query):
            return Interaction(Kind.PAGE)
        case _, [""]:
            raise Refusal(400, "not-supported", "This is the base address; a resource type has to follow.")
        case "GET", [type_]:
            return Interaction(Kind.SEARCH, _check_type(type_))
        case "POST", [type_, "_search"]:
            return Interaction(Kind.SEARCH, _check_type(type_))
        case "POST", [type_]:
            return Interaction(Kind.CREATE, _check_type(type_))
        case "GET", [type_, id_]:
            return Interaction(Kind.READ, _check_type(type_), _check_id(id_))
        case "PUT", [type_, id_]:
            return Interaction(Kind.UPDATE, _check_type(type_), _check_id(id_))
        case "DELETE", [type_, id_]:
            return Interaction(Kind.DELETE, _check_type(type_), _check_id(id_))
        case "GET", [type_, id_, "_history"]:
            return Interaction(Kind.HISTORY, _check_type(type_), _check_id(id_))
        case "GET", [type_, id_, "_history", version]:
            return Interaction(Kind.VREAD, _check_type(type_), _check_id(id_), _check_id(version))
        case (("GET" | "POST" | "PUT" | "DELETE"), _):
            raise Refusal(400, "not-supported", f"This server has no interaction {request.method} on this path.")
        case _:
            raise Refusal(405, "not-supported", f"This server does not answer {request.method}.")


def _check_type(name: str) -> str:
    if not _TYPE.fullmatch(name):
        raise Refusal(404, "not-supported", "The path does not begin with a resource type.")
    return name


def _check_id(value: str) -> str:
    if not _ID.fullmatch(value):
        if value.startswith(("_", "$")):
            raise Refusal(400, "not-supported", f"This server does not offer {value[:40]}.")
        raise Refusal(404, "not-found", "An id has 1 to 64 letters, digits, '-' or '.'.")
    return value
