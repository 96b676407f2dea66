"""One request to an EHR and its answer: every way it can go wrong becomes one ``EhrError``.

In: a prepared ``httpx.Request``. Out: a ``Reply``, read whole. No redirect is followed,
no answer is read past its limit, no text of an answer reaches an error: only statuses and OperationOutcome codes.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.errors import EhrError, EhrGarbled, EhrRefused, EhrUnreachable

MAX_REPLY_BYTES = 32 * 1024 * 1024
# The one element whose refusal changes the way of filing: an EHR that takes no preliminary note names it, or the code.
_DOC_STATUS = re.compile(rb"docStatus|\bpreliminary\b", re.IGNORECASE)
_ISSUE_CODE = re.compile(r"[a-z-]{1,40}")

NOT_REACHED = "The EHR could not be reached. Check that it is up, then try again."
NO_ANSWER = "The EHR did not answer in time, so it is not known what it did. Wait a moment, then try again."
GARBLED = "The EHR's answer could not be read. Try again; if it stays so, tell whoever looks after the EHR."
REFUSALS = {
    400: "The EHR refused the request as wrong. Tell whoever looks after the connection to the EHR.",
    401: "The EHR no longer accepts this session. Open Countersign again from the EHR.",
    403: "The EHR does not allow this for you or for Countersign. Ask whoever looks after the EHR for access.",
    404: "The EHR does not have what was asked for. Open Countersign again from the EHR.",
    409: "The EHR says that this was changed by someone else meanwhile. Look at it in the EHR, then try again.",
    410: "The EHR says that this was deleted. Look at it in the EHR.",
    412: "The EHR says that this was changed by someone else meanwhile. Look at it in the EHR, then try again.",
    422: "The EHR did not accept the content. Tell whoever looks after the connection to the EHR.",
    429: "The EHR is asked too often at the moment. Wait a minute, then try again.",
}


# 4xx that do not say whether it was stored: a timeout of a proxy, another write at the same moment.
AMBIGUOUS_STATUSES = (408, 409, 412)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole. ``content`` is decompressed."""

    status: int
    headers: httpx.Headers
    content: bytes


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what httpx raises into the gateway's own errors.

    Raises:
        EhrUnreachable: ``ehr.not-reached`` where nothing was sent, ``ehr.no-answer`` where the outcome is unknown.
        EhrGarbled: the answer breaks HTTP, its encoding or its URL.
    """
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise EhrUnreachable("ehr.not-reached", NOT_REACHED, type(error).__name__) from None
    except (httpx.UnsupportedProtocol, httpx.ProxyError, httpx.LocalProtocolError) as error:
        raise EhrUnreachable("ehr.not-reached", NOT_REACHED, type(error).__name__) from None
    except (httpx.DecodingError, httpx.TooManyRedirects, httpx.InvalidURL, httpx.CookieConflict) as error:
        raise EhrGarbled("ehr.garbled", GARBLED, type(error).__name__) from None
    except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
        # Read and write failures, resets and lost replies: the EHR may have acted on the request.
        raise EhrUnreachable("ehr.no-answer", NO_ANSWER, type(error).__name__) from None


async def send_request(
    http: httpx.AsyncClient,
    request: httpx.Request,
    *,
    timeout_seconds: float,
    max_bytes: int = MAX_REPLY_BYTES,
) -> Reply:
    """Send one request and read the whole answer, within ``timeout_seconds`` from first to last byte.

    Raises:
        EhrUnreachable, EhrGarbled: as ``translate_errors``; 502 and 504 are a proxy's word that no answer came.
    """
    with translate_errors():
        async with asyncio.timeout(timeout_seconds):
            response = await http.send(request, stream=True, follow_redirects=False)
            try:
                content = await _read_body(response, max_bytes)
            finally:
                await response.aclose()
    if response.status_code in (502, 504):
        raise EhrUnreachable("ehr.no-answer", NO_ANSWER, f"HTTP {response.status_code}")
    return Reply(response.status_code, response.headers, content)


async def _read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """Reads what comes, counted after decompression: a small reply can't unfold without end."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > max_bytes:
            raise EhrGarbled("ehr.too-large", GARBLED, f"reply over {max_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


def require_success(reply: Reply) -> Reply:
    """Raises:
    EhrRefused: a 4xx or 5xx answer.
    EhrGarbled: a redirect or another answer that is neither yes nor no.
    """
    status = reply.status
    if 200 <= status < 300:
        return reply
    if status < 400:
        raise EhrGarbled("ehr.redirected", GARBLED, f"HTTP {status}")
    fallback = (
        "The EHR has a fault of its own at the moment. Wait a few minutes, then try again."
        if status >= 500
        else "The EHR refused the request. Tell whoever looks after the connection to the EHR."
    )
    codes = ",".join(_issue_codes(reply))
    raise EhrRefused(
        f"ehr.{status}",
        REFUSALS.get(status, fallback),
        status,
        f"HTTP {status} {codes}".strip(),
        ("docStatus",) if _DOC_STATUS.search(reply.content[:100_000]) else (),
    )


def is_certain_no(error: EhrError) -> bool:
    """Whether a write certainly stored nothing: it was never sent, or the EHR's own answer refuses it."""
    if isinstance(error, EhrRefused):
        return error.http_status < 500 and error.http_status not in AMBIGUOUS_STATUSES
    return isinstance(error, EhrUnreachable) and error.code == "ehr.not-reached"


def read_object(reply: Reply) -> dict[str, Any]:
    """The answer's JSON object.

    Raises:
        EhrGarbled: HTML, broken JSON, or JSON that is no object.
    """
    try:
        value = json.loads(reply.content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        kind = reply.headers.get("content-type", "").split(";")[0].strip()[:60]
        raise EhrGarbled("ehr.garbled", GARBLED, f"not JSON: {kind}") from None
    if not isinstance(value, dict):
        raise EhrGarbled("ehr.garbled", GARBLED, "JSON, but no object")
    return value


def _issue_codes(reply: Reply) -> list[str]:
    """OperationOutcome.issue.code only: diagnostics and details may quote patient data."""
    try:
        issues = read_object(reply).get("issue")
    except EhrGarbled:
        return []
    if not isinstance(issues, list):
        return []
    codes = [issue.get("code") for issue in issues[:5] if isinstance(issue, dict)]
    return [code for code in codes if isinstance(code, str) and _ISSUE_CODE.fullmatch(code)]
