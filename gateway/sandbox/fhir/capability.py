"""The CapabilityStatement: what the sandbox can, drawn from the tables that serve it."""

from datetime import datetime
from typing import Any

from gateway.sandbox.fhir.backend import Resource
from gateway.sandbox.fhir.parameters import COMMON, PARAMETERS, Parameter

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "create", "search-type")


def build_capability(base_url: str, started: datetime, smart_url: str | None = None) -> Resource:
    """The statement of a sandbox at ``base_url``, up since ``started``.

    ``smart_url`` is the authorization server's address; its endpoints are ``/authorize``, ``/token``, ``/introspect``
    below it. None for a server without one.
    """
    rest: dict[str, Any] = {
        "mode": "server",
        "resource": [_describe_type(type_) for type_ in sorted(PARAMETERS)],
        "searchParam": _describe_parameters(COMMON),
    }
    if smart_url is not None:
        rest["security"] = describe_security(smart_url)
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": started.isoformat(timespec="seconds"),
        "kind": "instance",
        "software": {"name": "Countersign sandbox EHR"},
        "implementation": {
            "description": "An EHR to try things against; no real patients",
            "url": base_url,
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [rest],
    }


def describe_security(smart_url: str) -> dict[str, Any]:
    """``rest.security`` of a server behind SMART (https://hl7.org/fhir/smart-app-launch/1.0.0/conformance)."""
    base = smart_url.rstrip("/")
    return {
        "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}], "text": "SMART on FHIR"}],
        "extension": [
            {
                "url": _OAUTH_URIS,
                "extension": [
                    {"url": name, "valueUri": f"{base}/{name}"} for name in ("authorize", "token", "introspect")
                ],
            }
        ],
    }


def _describe_type(type_: str) -> dict[str, Any]:
    own = [f"{type_}:{name}" for name, parameter in PARAMETERS[type_].items() if parameter.type == "reference"]
    reverse = [
        f"{source}:{name}"
        for source, parameters in sorted(PARAMETERS.items())
        for name, parameter in sorted(parameters.items())
        if parameter.type == "reference" and type_ in (parameter.targets or (type_,))
    ]
    described: dict[str, Any] = {
        "type": type_,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchRevInclude": reverse,
        "searchParam": _describe_parameters({**COMMON, **PARAMETERS[type_]}),
    }
    return described | ({"searchInclude": sorted(own)} if own else {})


def _describe_parameters(parameters: dict[str, Parameter]) -> list[dict[str, str]]:
    return [{"name": name, "type": parameter.type} for name, parameter in sorted(parameters.items())]
