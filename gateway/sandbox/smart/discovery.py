"""What the server says of itself: SMART configuration, OpenID configuration, its keys.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html and OpenID Connect Discovery 1.0.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.sandbox.smart.clients import ALGORITHMS, BACKEND_SCOPES
from gateway.sandbox.smart.keys import ALGORITHM
from gateway.sandbox.smart.scopes import CONTEXT_SCOPES
from gateway.sandbox.smart.server import Addresses, SmartServer

CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-standalone-encounter",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


def describe_smart(addresses: Addresses) -> dict[str, Any]:
    """``.well-known/smart-configuration``."""
    return {
        "issuer": addresses.issuer,
        "jwks_uri": addresses.endpoint("jwks"),
        "authorization_endpoint": addresses.endpoint("authorize"),
        "token_endpoint": addresses.endpoint("token"),
        "introspection_endpoint": addresses.endpoint("introspect"),
        "revocation_endpoint": addresses.endpoint("revoke"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [
            *sorted(CONTEXT_SCOPES),
            "patient/*.cruds",
            "user/*.cruds",
            *BACKEND_SCOPES.split(),
        ],
        "capabilities": list(CAPABILITIES),
    }


def describe_openid(addresses: Addresses) -> dict[str, Any]:
    """``.well-known/openid-configuration``."""
    smart = describe_smart(addresses)
    shared = (
        "issuer",
        "jwks_uri",
        "authorization_endpoint",
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "grant_types_supported",
        "response_types_supported",
        "code_challenge_methods_supported",
        "scopes_supported",
    )
    return {name: smart[name] for name in shared} | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"],
        "request_uri_parameter_supported": False,
    }


def create_discovery_routes(server: SmartServer) -> list[Route]:
    async def smart_configuration(_: Request) -> Response:
        return JSONResponse(describe_smart(server.addresses), headers=_CACHE)

    async def openid_configuration(_: Request) -> Response:
        return JSONResponse(describe_openid(server.addresses), headers=_CACHE)

    async def jwks(_: Request) -> Response:
        return JSONResponse(server.key.export_public(), headers=_CACHE)

    return [
        Route("/fhir/.well-known/smart-configuration", smart_configuration),
        Route("/fhir/.well-known/openid-configuration", openid_configuration),
        Route("/auth/.well-known/openid-configuration", openid_configuration),
        Route("/auth/jwks", jwks),
    ]


_CACHE = {"Cache-Control": "public, max-age=300"}
