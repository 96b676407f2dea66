"""The chart over HTTP: pages by GET, actions by form POST from the chart itself.

The sandbox has no passwords, so every POST must come from its own page: another site's form is refused by
``Sec-Fetch-Site`` or ``Origin``. Programs on this machine, which send neither, may call it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.sandbox.chart.pages import FOLDER, Pages
from gateway.sandbox.chart.record import read_chart, read_schedule
from gateway.sandbox.chart.signing import (
    ChartRefusal,
    discard_draft,
    record_consent,
    revoke_consent,
    sign_note,
    withdraw_note,
)
from gateway.sandbox.chart.words import write_name
from gateway.sandbox.fhir.client import FhirRefused
from gateway.sandbox.practice import Practice
from gateway.sandbox.seed.people import ALL, Answer
from gateway.sandbox.smart.grants import Grants, Launch
from gateway.sandbox.smart.server import Addresses

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ChartServer:
    """What the pages work on. ``gateway_url`` is where Countersign listens."""

    practice: Practice
    grants: Grants
    addresses: Addresses
    pages: Pages
    gateway_url: str

    def open_launch(self, launch: Launch) -> str:
        """The address that starts the app for this context (SMART App Launch 2.2, EHR launch)."""
        query = urlencode({"iss": self.addresses.fhir, "launch": self.grants.open_launch(launch)})
        return f"{self.gateway_url}/launch?{query}"


def create_chart_routes(server: ChartServer) -> list[Route | Mount]:
    practice, pages = server.practice, server.pages

    async def frame_values() -> dict[str, Any]:
        """What every page's head shows."""
        organization, clinicians = await read_staff(practice)
        return {"practice_name": organization, "clinicians": clinicians, "clinician": practice.clinician}

    async def schedule(_: Request) -> Response:
        await practice.begin_day()
        visits = await read_schedule(practice)
        now = practice.clock()
        values = await frame_values()
        values |= {"visits": visits, "day": f"{now:%A}, {now.day} {now:%B %Y}"}
        return pages("schedule.html", values)

    async def chart(http: Request) -> Response:
        patient = http.path_params["patient"]
        await practice.begin_day()
        values = await frame_values() | {"chart": await read_chart(practice, patient)}
        return pages("chart.html", values | {"message": http.query_params.get("message", "")})

    async def record(http: Request) -> Response:
        """The part of the chart that changes; 304 while it has not (the page asks every other second)."""
        found = await read_chart(practice, http.path_params["patient"])
        etag = f'"{found.stamp}"'
        if http.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag, "Cache-Control": "no-store"})
        page = pages("_record.html", {"chart": found})
        page.headers["ETag"] = etag
        return page

    async def launch(http: Request) -> Response:
        form = await http.form()
        encounter = str(form.get("encounter", "")) or None
        url = server.open_launch(Launch(practice.user, http.path_params["patient"], encounter))
        if "application/json" in http.headers.get("accept", ""):
            return JSONResponse({"url": url}, headers={"Cache-Control": "no-store"})
        return RedirectResponse(url, 303, headers={"Referrer-Policy": "no-referrer"})

    async def open_any_launch(http: Request) -> Response:
        """For programs: a launch in any context, also one that an app must refuse (a patient as user, say)."""
        try:
            given = await http.json()
            context = Launch(
                user=str(given.get("user") or practice.user),
                patient=given.get("patient"),
                encounter=given.get("encounter"),
                intent=str(given.get("intent", "")),
                fhir_context=tuple(given.get("fhirContext", ())),
            )
        except (ValueError, AttributeError, TypeError):
            words = "Send JSON: patient, encounter, user, intent, fhirContext."
            return JSONResponse({"message": words}, 400)
        url = server.open_launch(context)
        return JSONResponse({"url": url, "iss": server.addresses.fhir, "launch": url.rsplit("launch=", 1)[1]})

    async def change_clinician(http: Request) -> Response:
        chosen = str((await http.form()).get("clinician", ""))
        if chosen not in {id_ for id_, _ in (await read_staff(practice))[1]}:
            return pages("refused.html", {"words": "There is no such clinician here."}, 400)
        if chosen != practice.clinician:
            server.grants.end_session(practice.user)
            practice.clinician = chosen
        return RedirectResponse("/", 303)

    async def act(http: Request) -> Response:
        """One action on a note or a consent; answers JSON to the page's script, else goes back to the chart."""
        patient, item = http.path_params["patient"], http.path_params["item"]
        form = {name: str(value) for name, value in (await http.form()).items()}
        version = form.get("version", "")
        message, status = "", 200
        try:
            match http.path_params["action"]:
                case "sign":
                    await sign_note(practice, patient, item, version)
                    message = "Signed. The note is final and locked."
                case "discard":
                    await discard_draft(practice, patient, item, version)
                    message = "The draft was discarded."
                case "withdraw":
                    await withdraw_note(practice, patient, item, version)
                    message = "The note is marked as entered in error."
                case "revoke":
                    await revoke_consent(practice, patient, item)
                    message = "The consent is revoked from now on."
                case "permit" | "deny" as answer if item in ALL:
                    await record_consent(practice, patient, Answer(item, answer, given_days_ago=0))
                    message = "The patient's answer is on file."
                case _:
                    raise ChartRefusal("The chart has no such action.")
        except ChartRefusal as refusal:
            message, status = refusal.words, 409
        except FhirRefused as refused:
            message, status = f"The record refused it ({refused.status}).", 409
        if "application/json" in http.headers.get("accept", ""):
            return JSONResponse({"message": message}, status)
        return RedirectResponse(f"/patient/{patient}?{urlencode({'message': message})}", 303)

    return [
        Route("/", _careful(schedule, pages)),
        Route("/clinician", _careful(change_clinician, pages), methods=["POST"]),
        Route("/launch", _careful(open_any_launch, pages), methods=["POST"]),
        Route("/patient/{patient}", _careful(chart, pages)),
        Route("/patient/{patient}/record", _careful(record, pages)),
        Route("/patient/{patient}/launch", _careful(launch, pages), methods=["POST"]),
        Route("/patient/{patient}/{item}/{action}", _careful(act, pages), methods=["POST"]),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]


async def read_staff(practice: Practice) -> tuple[str, list[tuple[str, str]]]:
    """The practice's name and its clinicians, id and name."""
    organization = await practice.record.read(*practice.organization.split("/", 1))
    ids = ",".join(f"{practice.prefix}{id_}" for id_ in ("mara-ellison", "tomas-vance"))
    clinicians = await practice.record.search("Practitioner", ("_id", ids))
    return write_name(organization), sorted((one["id"], write_name(one)) for one in clinicians)


def _careful(handler: Handler, pages: Pages) -> Handler:
    """Refuses what another site sends, and says what the record refused."""

    async def handle(http: Request) -> Response:
        if http.method == "POST" and not _is_own(http):
            return pages("refused.html", {"words": "This was sent by another site."}, 403)
        try:
            return await handler(http)
        except FhirRefused as refused:
            gone = refused.status in (404, 410)
            words = "There is no such chart here." if gone else "The record does not answer. Try again in a moment."
            return pages("refused.html", {"words": words}, 404 if gone else 502)

    return handle


def _is_own(http: Request) -> bool:
    site, origin = http.headers.get("sec-fetch-site"), http.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or origin == f"{http.url.scheme}://{http.headers.get('host')}"
