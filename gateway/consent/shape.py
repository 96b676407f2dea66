"""The shape of an R4 Consent as JSON (https://hl7.org/fhir/R4/consent.html), held strictly and fast.

fhir.resources reads what it is given as generously as it can; here an element that R4 does not have, an empty one and
one of a wrong type make the Consent unreadable, because each may change what it means.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

_STRICT = ConfigDict(extra="forbid", strict=True)
# Digits are ASCII: \d would take those of every script.
_DAY = r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])"
_ZONE = r"(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
_TIME = rf"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,9}})?{_ZONE}"
Words = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
Token = Annotated[str, StringConstraints(pattern=r"^[^\s]+( [^\s]+)*$")]
Address = Annotated[str, StringConstraints(pattern=r"^\S+$")]
DateTime = Annotated[str, StringConstraints(pattern=rf"^{_DAY}({_TIME})?)?)?$")]
Instant = Annotated[str, StringConstraints(pattern=rf"^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]){_TIME}$")]


def _require_content(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        raise ValueError("empty")
    return value


Filled = AfterValidator(_require_content)
Anything = Annotated[dict[str, Any], Field(min_length=1)]
Extensions = Annotated[list[Anything], Field(min_length=1)]


@with_config(_STRICT)
class CodingJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    system: Address
    version: Words
    code: Token
    display: Words
    userSelected: bool


Codings = Annotated[list[Annotated[CodingJson, Filled]], Field(min_length=1)]


@with_config(_STRICT)
class ConceptJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    coding: Codings
    text: Words


Concepts = Annotated[list[Annotated[ConceptJson, Filled]], Field(min_length=1)]


@with_config(_STRICT)
class ReferenceJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    reference: Address
    type: Address
    identifier: Anything
    display: Words


References = Annotated[list[Annotated[ReferenceJson, Filled]], Field(min_length=1)]


@with_config(_STRICT)
class PeriodJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    start: DateTime
    end: DateTime


@with_config(_STRICT)
class MetaJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    versionId: Words
    lastUpdated: Instant
    source: Address
    profile: Annotated[list[Address], Field(min_length=1)]
    security: Codings
    tag: Codings


@with_config(_STRICT)
class PolicyJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    authority: Address
    uri: Address


@with_config(_STRICT)
class VerificationJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    verified: bool
    verifiedWith: Annotated[ReferenceJson, Filled]
    verificationDate: DateTime


@with_config(_STRICT)
class ActorJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    role: Annotated[ConceptJson, Filled]
    reference: Annotated[ReferenceJson, Filled]


@with_config(_STRICT)
class DataJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    meaning: Token
    reference: Annotated[ReferenceJson, Filled]


@with_config(_STRICT)
class ProvisionJson(TypedDict, total=False):
    id: Words
    extension: Extensions
    type: Literal["permit", "deny"]
    period: Annotated[PeriodJson, Filled]
    actor: Annotated[list[Annotated[ActorJson, Filled]], Field(min_length=1)]
    action: Concepts
    securityLabel: Codings
    purpose: Codings
    class_: Annotated[Codings, Field(validation_alias="class")]
    code: Concepts
    dataPeriod: Annotated[PeriodJson, Filled]
    data: Annotated[list[Annotated[DataJson, Filled]], Field(min_length=1)]
    provision: Annotated[list[Annotated["ProvisionJson", Filled]], Field(min_length=1)]


@with_config(_STRICT)
class ConsentJson(TypedDict, total=False):
    resourceType: Literal["Consent"]
    id: Token
    meta: Annotated[MetaJson, Filled]
    language: Token
    text: Anything
    contained: Annotated[list[Anything], Field(min_length=1)]
    extension: Extensions
    identifier: Annotated[list[Anything], Field(min_length=1)]
    status: Literal["active", "inactive", "draft", "proposed", "rejected", "entered-in-error"]
    scope: Annotated[ConceptJson, Filled]
    category: Concepts
    patient: Annotated[ReferenceJson, Filled]
    dateTime: DateTime
    performer: References
    organization: References
    sourceAttachment: Anything
    sourceReference: Annotated[ReferenceJson, Filled]
    policy: Annotated[list[Annotated[PolicyJson, Filled]], Field(min_length=1)]
    policyRule: Annotated[ConceptJson, Filled]
    verification: Annotated[list[Annotated[VerificationJson, Filled]], Field(min_length=1)]
    provision: Annotated[ProvisionJson, Filled]


_CONSENT: TypeAdapter[Any] = TypeAdapter(ConsentJson)
# Elements in which anything may stand, but nothing that changes what the Consent means.
_OPEN_ELEMENTS = ("extension", "text", "contained", "identifier", "sourceAttachment")
MODIFIERS = ("implicitRules", "modifierExtension")


def check_shape(consent: Mapping[str, Any]) -> str:
    """Hold one Consent to R4's shape.

    Returns:
        What is wrong, to be read after the Consent's name ("has a provision.period.start that can't be read"), with
        no value of it; empty where nothing is.
    """
    try:
        _CONSENT.validate_python(consent)
    except ValidationError as error:
        return find_modifier(consent) or _explain(error)
    for name in _OPEN_ELEMENTS:
        if name in consent and (modifier := find_modifier(consent[name])):
            return modifier
    return ""


def find_modifier(value: object) -> str:
    """Name an ``implicitRules`` or ``modifierExtension`` at any depth; empty where there is none."""
    found = next((key for key in _keys(value) if key in MODIFIERS), "")
    return f"carries {found}, which may change what it means" if found else ""


def _keys(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _explain(error: ValidationError) -> str:
    """The first fault by its place; list positions, depth and values are left out."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(name for name, _ in groupby(part for part in first["loc"] if isinstance(part, str)))
    if first["type"] == "extra_forbidden":
        return f"carries {path}, which is not understood here"
    return f"has a {path} that can't be read"
