"""The gateway, but that its visits hold a session's sound at a desk that a test scripts.

``python -m tests.faults.sounding_visit serve`` runs it; the module is also the composition that its visits come from.
"""

from fastapi import FastAPI

from gateway.front.environment import set_up_logging
from gateway.front.supervisor import serve
from gateway.settings import read_settings
from gateway.visit import composition
from gateway.visit.process import VisitRoom
from gateway.visit.session_socket import add_session_route
from tests.unit.front.scripted_desk import ScriptedDesk, add_sound_routes

prepare_visits = composition.prepare_visits
list_readable = composition.list_readable
require_room = composition.require_room


def compose_visit(room: VisitRoom) -> FastAPI:
    app = composition.compose_visit(room)
    desk = ScriptedDesk()
    add_session_route(app, lambda: desk)
    app.router.routes.insert(0, app.router.routes.pop())  # before the visit's own
    add_sound_routes(app, desk)
    return app


if __name__ == "__main__":
    set_up_logging()
    serve(read_settings(), composition="tests.faults.sounding_visit")
