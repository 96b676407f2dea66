"""What the headers, the parameters and the body of a request ask for, read one by one. Pure.

Each refuses what it can't read (``Refusal``, 400 or 406) rather than to guess.
"""

import base64
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from gateway.sandbox.fhir.backend import FhirRequest, Resource
from gateway.sandbox.fhir.dates import read_span
from gateway.sandbox.fhir.outcome import Refusal
from gateway.sandbox.fhir.store import Version
from gateway.sandbox.fhir.validation import read_resource

PRESENTATION = frozenset({"_format", "_pretty"})

_JSON_TYPES = {"application/fhir+json", "application/json", "text/json", "application/json+fhir"}


def read_body(request: FhirRequest, type_: str) -> Resource:
    """The resource in the body of a create or update; a Binary may also come as its plain content."""
    content_type = (request.header("content-type") or "").split(";")[0].strip().lower()
    if content_type in _JSON_TYPES:
        return read_resource(request.body, type_)
    if type_ == "Binary" and content_type and request.method == "POST" and "fhir" not in content_type:
        return {"resourceType": type_, "contentType": content_type, "data": base64.b64encode(request.body).decode()}
    raise Refusal(400, "not-supported", "This server takes Content-Type application/fhir+json only.")


def read_form(request: FhirRequest) -> tuple[tuple[str, str], ...]:
    """The pairs of a POST _search."""
    content_type = (request.header("content-type") or "").split(";")[0].strip().lower()
    if request.body and content_type != "application/x-www-form-urlencoded":
        raise Refusal(400, "not-supported", "POST _search takes a form (application/x-www-form-urlencoded).")
    try:
        return tuple(parse_qsl(request.body.decode(), keep_blank_values=True))
    except (UnicodeDecodeError, ValueError) as error:
        raise Refusal(400, "structure", "The form is not readable.") from error


def read_if_match(request: FhirRequest) -> int | None:
    """The version that If-Match names, or None without one."""
    value = request.header("if-match")
    if value is None:
        return None
    match = re.fullmatch(r'(?:W/)?"?(\d{1,9})"?', value.strip())
    if not match:
        raise Refusal(400, "value", 'If-Match needs the ETag of a version: W/"1".')
    return int(match.group(1))


def read_since(value: str) -> datetime:
    """The instant from which ``_since`` counts."""
    try:
        return read_span(value).start
    except ValueError as error:
        raise Refusal(400, "value", "_since needs an instant.") from error


def is_unchanged(request: FhirRequest, version: Version) -> bool:
    """Conditional read (https://hl7.org/fhir/R4/http.html#cread)."""
    if known := request.header("if-none-match"):
        return known == version.etag
    try:
        since = parsedate_to_datetime(request.header("if-modified-since") or "")
    except (TypeError, ValueError):
        return False
    return version.when.replace(microsecond=0) <= since.astimezone(UTC)


def wants_fhir(request: FhirRequest) -> bool:
    """Whether a Binary is to come as a resource; without such a wish it comes as its own content."""
    formats = [value for name, value in request.query if name == "_format"]
    return "fhir+json" in (request.header("accept") or "").lower() or any("json" in value for value in formats)


def check_format(request: FhirRequest) -> None:
    """``_format`` goes before Accept (https://hl7.org/fhir/R4/http.html#mime-type); JSON is all there is."""
    wanted = next((value for name, value in request.query if name == "_format"), request.header("accept") or "")
    if "xml" in wanted and not any(known in wanted for known in ("json", "*", "html")):
        raise Refusal(406, "not-supported", "This server speaks application/fhir+json only.")


def check_read_query(request: FhirRequest) -> None:
    """A read takes no search parameters, as with HAPI."""
    for name, _ in request.query:
        if name not in PRESENTATION:
            raise Refusal(400, "not-supported", f"A read does not take the parameter {name[:40]}.")
