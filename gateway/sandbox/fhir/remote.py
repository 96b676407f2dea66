"""Another FHIR R4 server behind the sandbox (``--fhir URL``): forwards, and puts the sandbox's address for its own.

In: ``FhirRequest``. Out: that server's reply with its base address rewritten in headers, links and fullUrls. Nothing
of the caller's token goes there: only the headers listed here are passed on.
"""

import json
from typing import Any
from urllib.parse import quote

import httpx

from gateway.sandbox.fhir.backend import FhirReply, FhirRequest, Resource, write_json
from gateway.sandbox.fhir.outcome import Refusal, write_refusal

_PASSED_ON = (
    "accept", "cache-control", "content-type", "prefer",
    "if-match", "if-modified-since", "if-none-exist", "if-none-match",
)  # fmt: skip
_PASSED_BACK = ("Content-Type", "ETag", "Last-Modified", "Location", "Content-Location", "Content-Disposition")
_ENTRY_ADDRESSES = (("response", "location"), ("request", "url"))


class RemoteBackend:
    """A plain FHIR server at ``url``, shown at ``base_url``.

    Args:
        url: its base address, e.g. ``http://127.0.0.1:8090/fhir``.
        base_url: the address under which the sandbox's clients see it.
        timeout_seconds: for one request.
        transport: another way to send (tests).
    """

    def __init__(
        self,
        url: str,
        base_url: str,
        *,
        timeout_seconds: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.base_url = base_url.rstrip("/")
        self._http = httpx.AsyncClient(timeout=timeout_seconds, transport=transport, trust_env=False)

    async def handle(self, request: FhirRequest) -> FhirReply:
        """Asks the server; a server that does not answer is a 502 or 504 with an OperationOutcome."""
        path = request.path.strip("/")
        if any(part in (".", "..") for part in path.split("/")):
            return write_refusal(Refusal(404, "not-found", "The path holds '.' or '..'."))
        headers = {name: value for name in _PASSED_ON if (value := request.header(name)) is not None}
        try:
            reply = await self._http.request(
                request.method,
                f"{self.url}/{quote(path, safe='/$')}" if path else self.url,
                params=httpx.QueryParams(self._aim_query(request.query)) if request.query else None,
                headers=headers,
                content=request.body,
            )
        except httpx.TimeoutException:
            return write_refusal(Refusal(504, "timeout", "The FHIR server behind the sandbox did not answer in time."))
        except httpx.TransportError:
            return write_refusal(Refusal(502, "transient", "The FHIR server behind the sandbox can't be reached."))
        kept = {name: self._show(value) for name in _PASSED_BACK if (value := reply.headers.get(name)) is not None}
        return FhirReply(reply.status_code, kept, self._show_body(reply))

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    def _aim_query(self, query: tuple[tuple[str, str], ...]) -> list[tuple[str, str | int | float | bool | None]]:
        return [(name, value.replace(self.base_url, self.url)) for name, value in query]

    def _show(self, text: str) -> str:
        return text.replace(self.url, self.base_url)

    def _show_body(self, reply: httpx.Response) -> bytes:
        """Rewrites fullUrl and links of a Bundle, and the CapabilityStatement's own address; never a resource."""
        if "json" not in reply.headers.get("Content-Type", ""):
            return reply.content
        try:
            resource = json.loads(reply.content)
        except ValueError:
            return reply.content
        match resource:
            case {"resourceType": "Bundle"}:
                return write_json(self._show_bundle(resource))
            case {"resourceType": "CapabilityStatement", "implementation": {"url": str(url)}}:
                resource["implementation"]["url"] = self._show(url)
                return write_json(resource)
            case _:
                return reply.content

    def _show_bundle(self, bundle: Resource) -> Resource:
        for item, name in _list_addresses(bundle):
            if isinstance(item.get(name), str):
                item[name] = self._show(item[name])
        return bundle


def _list_addresses(bundle: Resource) -> list[tuple[dict[str, Any], str]]:
    entries = bundle.get("entry", [])
    found: list[tuple[dict[str, Any], str]] = [(link, "url") for link in bundle.get("link", [])]
    found += [(entry, "fullUrl") for entry in entries]
    found += [(entry[part], name) for entry in entries for part, name in _ENTRY_ADDRESSES if part in entry]
    return found
