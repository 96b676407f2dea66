"""A visit's steps through the page's API, wherever the visit runs: in this process, or behind a front."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

SETTLED = ("gathering", "reviewing", "handing-over", "ended", "choosing")


@dataclass(slots=True, kw_only=True)
class VisitSteps:
    """``http`` has the visit's own address as its base."""

    http: httpx.AsyncClient

    async def view(self) -> dict[str, Any]:
        reply = await self.http.get("/api/view")
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return await self.http.post(f"/api/{path}", json=body or {})

    async def settle(self, *phases: str) -> dict[str, Any]:
        """Wait until nothing is going on, in one of these phases (any, if none is given)."""
        async with asyncio.timeout(20):
            while True:
                view = await self.view()
                if view["working"] is None and view["phase"] in (phases or SETTLED):
                    return view
                await asyncio.sleep(0.01)

    async def type_note(self, text: str, observations: str = "", format_id: str = "soap") -> dict[str, Any]:
        """Type, draft, and wait for the review."""
        assert (await self.post("way", {"way": "type", "format": format_id})).status_code == 200
        assert (await self.post("typed", {"text": text, "observations": observations})).status_code == 200
        assert (await self.post("draft", {"format": format_id})).status_code == 200
        return await self.settle()

    async def accept_all(self) -> dict[str, Any]:
        """Decide every marked line, section and risk line, one by one, as a clinician would."""
        view = await self.view()
        for number in view["marks"]:
            await self.confirm_line(view["segments"][number - 1])
        for section in (await self.view())["sections"]:
            await self.post("section", {"id": section["id"], "decision": "accepted"})
            for statement in section["statements"]:
                if statement["risk"]:
                    await self.post("risk", {"number": statement["number"], "decision": "kept"})
        return await self.view()

    async def confirm_line(self, line: Mapping[str, Any]) -> httpx.Response:
        """She has listened: it was heard well."""
        return await self.post("segment", {"number": line["number"], "heard": line["text"], "text": line["text"]})

    async def file(self) -> dict[str, Any]:
        view = await self.view()
        reply = await self.post("file", {"attested": True, "version": view["version"]})
        assert reply.status_code == 200, reply.text
        return await self.settle()
