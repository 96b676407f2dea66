"""A browser's part of a launch over plain HTTP: redirects and cookies, without a page being drawn."""

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import httpx

WAIT_SECONDS = 300.0


@dataclass(slots=True)
class PlainBrowser:
    """Keeps every cookie it is given, ``Secure`` or not: on localhost a real browser does the same."""

    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30.0))
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, url: str) -> httpx.Response:
        answer = self.http.get(url, headers=self._headers())
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def post(self, url: str, **content: Any) -> httpx.Response:
        headers = {**self._headers(), "sec-fetch-site": "same-origin", **content.pop("headers", {})}
        return self.http.post(url, headers=headers, **content).raise_for_status()

    def go_to_callback(self, launch: str, callback: str) -> str:
        """Follow a launch until the EHR sends the browser back; returns that address, not yet asked for."""
        url = launch
        while not url.startswith(callback):
            answer = self.get(url)
            assert answer.is_redirect, (url, answer.status_code)
            url = urljoin(url, answer.headers["location"])
        return url

    def open_visit(self, callback: str) -> str:
        """Ask for the callback; returns the visit's own address."""
        answer = self.get(callback)
        assert answer.is_redirect, (answer.status_code, answer.text[:300])
        return urljoin(callback, answer.headers["location"])

    def view(self, visit: str) -> dict[str, Any]:
        return self.get(urljoin(visit, "api/view")).raise_for_status().json()

    def wait(self, visit: str, *phases: str, every_seconds: float = 0.005) -> dict[str, Any]:
        """Read the view until it stands in one of the phases and nothing is going on."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            view = self.view(visit)
            if view["phase"] in phases and view["working"] is None:
                return view
            time.sleep(every_seconds)
        raise TimeoutError(f"not in {phases}")

    def _headers(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
