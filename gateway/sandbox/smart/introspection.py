"""Token introspection (RFC 7662, SMART 2.2 token-introspection.html) and revocation (RFC 7009)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.sandbox.smart.clients import Client, read_credentials
from gateway.sandbox.smart.errors import OAuthRefusal
from gateway.sandbox.smart.server import SmartServer
from gateway.sandbox.smart.token import (
    NO_STORE,
    describe_context,
    describe_fhir_user,
    describe_subject,
    read_form,
    write_refusal,
)


def create_introspection_routes(server: SmartServer) -> list[Route]:
    async def authenticate(http: Request, form: dict[str, str]) -> Client:
        return await server.clients.authenticate(read_credentials(http.headers.get("authorization"), form))

    async def introspect(http: Request) -> Response:
        """Only a client with credentials may ask: a token's context is about a patient."""
        try:
            form = await read_form(http)
            client = await authenticate(http, form)
            if client.auth == "public":
                raise OAuthRefusal("invalid_client", "Introspection needs a client with credentials.", 401)
        except OAuthRefusal as error:
            return write_refusal(error, basic="authorization" in http.headers)
        return JSONResponse(describe_token(server, form.get("token", "")), headers=NO_STORE)

    async def revoke(http: Request) -> Response:
        try:
            form = await read_form(http)
            client = await authenticate(http, form)
        except OAuthRefusal as error:
            return write_refusal(error, basic="authorization" in http.headers)
        server.grants.revoke_token(form.get("token", ""), client.id)
        return Response(status_code=200, headers=NO_STORE)

    return [
        Route("/auth/introspect", introspect, methods=["POST"]),
        Route("/auth/revoke", revoke, methods=["POST"]),
    ]


def describe_token(server: SmartServer, token: str) -> dict[str, Any]:
    """What a token stands for; of one that is unknown or has ended nothing but that it is not active."""
    found = server.grants.find_access(token) or server.grants.find_refresh(token)
    if found is None:
        return {"active": False}
    grant, ends_at = found
    answer: dict[str, Any] = {
        "active": True,
        "scope": str(grant.scopes),
        "client_id": grant.client_id,
        "exp": int(ends_at),
        **describe_context(server, grant),
    }
    if grant.user and "openid" in grant.scopes:
        answer |= {"iss": server.addresses.issuer, "sub": describe_subject(grant)}
        if fhir_user := describe_fhir_user(server, grant):
            answer["fhirUser"] = fhir_user
    return answer
