"""The real composition on a machine that seems to have a GPU: llama.cpp is said to find one, ``/dev/full`` is its node.

llama.cpp computes on the processor all the same. ``POST /api/write`` drafts with the visit's own drafter; ``GET
/api/model`` says whether its model is loaded; ``/api/try/*`` is as in ``tiny_visit``.
"""

import asyncio
import threading
from pathlib import Path

from fastapi import FastAPI, Request
from tiny_visit import ATTEMPTS, try_to  # beside this file, which is on the fork server's path

from gateway.capture.material import Segment, Source, Speaker, gather_material
from gateway.note import weights
from gateway.note.drafter import Drafter
from gateway.visit import composition, confinement
from gateway.visit.process import VisitRoom
from gateway.visit.stage import Tools

weights.has_gpu = lambda: True
confinement.GPU_DEVICES = ("full",)

prepare_visits = composition.prepare_visits
list_readable = composition.list_readable
require_room = composition.require_room


def compose_visit(room: VisitRoom) -> FastAPI:
    drafters: list[Drafter] = []

    class HeldTools(Tools):
        def __init__(self, **given: object) -> None:
            super().__init__(**given)
            drafters.append(self.drafter)

    composition.Tools = HeldTools
    app = composition.compose_visit(room)
    drafter, note_format = drafters[0], room.shared.formats["soap"]
    loaded = [path for path in list_readable(room.shared) if path.suffix == ".gguf"]

    @app.get("/api/model")
    async def model() -> dict[str, object]:
        maps = Path("/proc/self/maps").read_text()
        info = drafter.describe(note_format)
        return {
            "waits": drafter.find_loader() is not None,
            "mapped": any(str(path) in maps for path in loaded),
            "name": info.name,
            "sha256": info.model_sha256,
        }

    @app.post("/api/write")
    async def write(request: Request) -> dict[str, object]:
        said = (await request.body()).decode().splitlines()
        given = gather_material(Segment(n, Source.DICTATION, Speaker.CLINICIAN, text) for n, text in enumerate(said, 1))
        written = await asyncio.to_thread(lambda: list(drafter.write(given, note_format, threading.Event())))
        return {"statements": [one.text for one in written]}

    @app.post("/api/try/{what}")
    async def attempt(what: str, request: Request) -> dict[str, str]:
        given = (await request.body()).decode()
        return {"outcome": await asyncio.to_thread(try_to, lambda: ATTEMPTS[what](given))}

    return app
