"""The front's routes, with real visit processes behind them and a desk that a test fills."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest

from gateway.ehr.authorization import AuthorizationRequest
from gateway.errors import EhrUnreachable, LaunchError, LedgerError
from gateway.front.app import create_front
from gateway.front.launching import MOST_EXPECTED, Departure, Expected, LaunchDesk
from gateway.ledger.log import Ledger
from gateway.settings import ROOT

pytestmark = pytest.mark.processes
ORIGIN = "http://localhost:8000"
OWN = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}


class FilledDesk:
    """A launch desk without a protocol behind it: everything that leaves comes back as this launch."""

    launch_seconds = 600.0

    def __init__(self, site, context, access):
        self.site, self.context, self.access, self.error, self.form = site, context, access, None, None
        self.expected = {}

    async def begin(self, site, launch):
        state = f"state-{len(self.expected)}"
        self.expected[state] = Expected(site, "secret", datetime.now(UTC) + timedelta(minutes=1))
        return Departure(state, "secret", f"https://ehr.test/authorize?state={state}&launch={launch}", self.form)

    def find(self, state):
        return self.expected.get(state)

    async def complete(self, state, parameters):
        self.expected.pop(state)
        if self.error:
            raise self.error
        return self.context, self.access

    def published_keys(self):
        return {"keys": []}


@pytest.fixture
def desk(site, context, access):
    return FilledDesk(site, context, access)


@pytest.fixture
async def browser(visits, notices, desk, site):
    app = create_front(
        {"test": site},
        desk,
        visits,
        notices,
        public_url=ORIGIN,
        page_dir=ROOT / "smart_app",
        is_ready=lambda: True,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN, timeout=10) as http:
        yield http


def cookies(reply):
    return dict(line.split(";")[0].split("=", 1) for line in reply.headers.get_list("set-cookie"))


async def open_visit(browser):
    """Through launch and callback by hand: httpx keeps no Secure cookie of a plain http address."""
    left = await browser.get("/launch", params={"iss": browser.issuer, "launch": "l1"})
    back = await browser.get("/callback?code=c&state=state-0", headers={"cookie": cookie_header(left)})
    return back, {"cookie": cookie_header(back)}


def cookie_header(reply):
    return "; ".join(f"{name}={value}" for name, value in cookies(reply).items() if value)


@pytest.fixture(autouse=True)
def issuer(browser, site):
    browser.issuer = site.issuer


async def test_a_launch_goes_out_and_comes_back_to_a_visit(browser):
    back, cookie = await open_visit(browser)
    assert back.status_code == 303
    page = await browser.get(back.headers["location"])
    assert "<visit-page>" in page.text
    view = await browser.get(back.headers["location"] + "api/view", headers=cookie)
    assert view.json()["patient"] == "p1"


async def test_cookies_come_back_in_a_frame_and_only_there(browser):
    back, _ = await open_visit(browser)
    for line in back.headers.get_list("set-cookie"):
        assert line.startswith("__Host-")
        for part in ("Path=/", "Secure", "HttpOnly", "SameSite=None", "Partitioned"):
            assert part in line
        assert "Domain" not in line


async def test_the_page_may_be_framed_by_its_own_ehr_only_and_has_no_inline_script(browser):
    back, _ = await open_visit(browser)
    page = await browser.get(back.headers["location"])
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors https://ehr.example.org" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "microphone=(self)" in page.headers["permissions-policy"]
    start = await browser.get("/")
    assert "frame-ancestors 'none'" in start.headers["content-security-policy"]


async def test_another_browser_gets_nothing(browser):
    back, cookie = await open_visit(browser)
    path = back.headers["location"] + "api/view"
    name = cookie["cookie"].split("=")[0]
    for given in ({}, {"cookie": f"{name}=guess"}, {"cookie": f"{name}="}, {"cookie": "__Host-visit-x=y"}):
        reply = await browser.get(path, headers=given)
        assert reply.status_code == 403
        assert reply.json()["error"]["code"] == "visit.browser"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
        {"origin": "http://localhost:8000.evil.example"},
    ],
)
async def test_a_post_from_elsewhere_goes_no_further(browser, headers):
    back, cookie = await open_visit(browser)
    reply = await browser.post(back.headers["location"] + "api/echo", headers={**cookie, **headers}, content=b"x")
    assert reply.status_code == 403


async def test_a_post_of_the_page_itself_passes(browser):
    back, cookie = await open_visit(browser)
    path = back.headers["location"] + "api/echo"
    for own in (OWN, {"origin": ORIGIN}, {"sec-fetch-site": "same-origin"}):
        assert (await browser.post(path, headers={**cookie, **own}, content=b"x")).content == b"x"


@pytest.mark.parametrize(
    "query", ["", "?iss=https://elsewhere.test/fhir", "?site=other", "?iss=http://ehr.test/FHIR&launch=1"]
)
async def test_an_unknown_ehr_is_refused_with_a_sentence(browser, query):
    reply = await browser.get(f"/launch{query}")
    assert reply.status_code == 400
    assert "not set up here" in reply.text
    assert reply.headers["content-type"].startswith("text/html")


async def test_a_callback_of_another_browser_or_a_second_time_is_refused(browser, visits):
    left = await browser.get("/launch", params={"iss": browser.issuer, "launch": "l1"})
    assert (await browser.get("/callback?code=c&state=state-0")).status_code == 400
    assert (await browser.get("/callback?code=c&state=unknown")).status_code == 400
    given = {"cookie": cookie_header(left)}
    assert (await browser.get("/callback?code=c&state=state-0", headers=given)).status_code == 303
    assert (await browser.get("/callback?code=c&state=state-0", headers=given)).status_code == 400
    assert visits.count_running() == 1


@pytest.mark.parametrize(
    "error",
    [
        LaunchError("launch.scopes", "The EHR did not grant <b>patient/Patient.r</b>."),
        EhrUnreachable("ehr.no-answer", "The EHR did not answer."),
    ],
)
async def test_a_launch_that_does_not_hold_is_a_sentence_and_leaves_no_process(browser, desk, visits, run_dir, error):
    desk.error = error
    back, _ = await open_visit(browser)
    assert back.status_code == type(error).status
    assert "<b>" not in back.text
    assert "frame-ancestors https://ehr.example.org" in back.headers["content-security-policy"]
    assert visits.count_running() == 0
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots"}


async def test_a_visit_that_does_not_fit_is_told_so_at_its_launch_and_the_next_one_opens(
    browser, visits, run_dir, machine, fork_server
):
    machine.has(100_000_000)
    back, _ = await open_visit(browser)
    assert back.status_code == 503
    assert "0.2 GB are needed and 0.1 GB are free" in back.text
    assert "finish a visit that is open" in back.text
    assert "model.memory" in back.text
    assert "frame-ancestors https://ehr.example.org" in back.headers["content-security-policy"]
    assert not back.headers.get_list("set-cookie")
    assert visits.count_running() == 0
    assert psutil.Process(fork_server.pid).children() == []
    machine.remove()
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots"}
    left = await browser.get("/launch", params={"iss": browser.issuer, "launch": "l2"})
    again = await browser.get("/callback?code=c&state=state-0", headers={"cookie": cookie_header(left)})
    assert again.status_code == 303


async def test_who_has_a_visit_running_comes_back_to_it_where_no_other_would_fit(browser, visits, machine):
    back, _ = await open_visit(browser)
    machine.has(1_000_000)
    again, cookie = await open_visit(browser)
    assert again.headers["location"] == back.headers["location"]
    assert (await browser.get(f"{back.headers['location']}api/view", headers=cookie)).json()["patient"] == "p1"
    assert visits.count_running() == 1


async def test_an_authorization_by_post_is_an_escaped_form(browser, desk):
    desk.form = {"state": "state-0", "scope": '"><script>alert(1)</script>'}
    reply = await browser.get("/launch", params={"iss": browser.issuer, "launch": "l1"})
    assert "<script>alert" not in reply.text
    assert "form-action https://ehr.test" in reply.headers["content-security-policy"]


# The visit in a tab ---------------------------------------------------------------------------------------------------


async def ask_tab(browser, place, cookie):
    return await browser.post(f"{place}tab", headers={**cookie, **OWN})


async def test_a_tab_takes_the_visit_over_once(browser, visits):
    back, frame = await open_visit(browser)
    place = back.headers["location"]
    asked = await ask_tab(browser, place, frame)
    address = asked.json()["url"]
    assert asked.headers["cache-control"] == "no-store"
    taken = await browser.get(address, headers={"sec-fetch-site": "same-origin"})
    assert (taken.status_code, taken.headers["location"]) == (303, place)
    assert taken.headers["referrer-policy"] == "no-referrer"
    assert taken.headers["cache-control"] == "no-store"
    tab = {"cookie": cookie_header(taken)}
    assert tab != frame
    assert (await browser.get(f"{place}api/view", headers=tab)).status_code == 200
    refused = await browser.get(f"{place}api/view", headers=frame)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "visit.moved")
    again = await browser.get(address, headers=tab)
    assert again.status_code == 403
    assert "frame-ancestors https://ehr.example.org" in again.headers["content-security-policy"]
    assert "already used" in again.text


async def test_the_frame_takes_the_visit_back_the_same_way(browser):
    back, frame = await open_visit(browser)
    place = back.headers["location"]
    tab = {"cookie": cookie_header(await browser.get((await ask_tab(browser, place, frame)).json()["url"]))}
    assert (await browser.post(f"{place}api/echo", headers={**frame, **OWN}, content=b"x")).status_code == 403
    address = (await ask_tab(browser, place, frame)).json()["url"]
    frame = {"cookie": cookie_header(await browser.get(address))}
    assert (await browser.get(f"{place}api/view", headers=frame)).status_code == 200
    assert (await browser.get(f"{place}api/view", headers=tab)).json()["error"]["code"] == "visit.moved"


async def test_an_address_for_a_tab_is_given_to_the_holder_alone(browser):
    back, cookie = await open_visit(browser)
    place = back.headers["location"]
    for given in ({}, {"cookie": f"{cookie['cookie'].split('=')[0]}=guess"}):
        reply = await ask_tab(browser, place, given)
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "visit.browser")
    for headers in (cookie, {**cookie, "origin": "https://evil.example"}, {**cookie, "sec-fetch-site": "cross-site"}):
        reply = await browser.post(f"{place}tab", headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "front.origin")
    assert (await browser.get(f"{place}tab", headers=cookie)).status_code == 403
    assert (await browser.get(f"{place}tab?key=", headers=cookie)).status_code == 403
    assert (await ask_tab(browser, "/visit/unknown/", cookie)).status_code == 404


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "none"}, {"sec-purpose": "prefetch;prerender"}]
)
async def test_a_key_is_not_taken_by_a_stranger_or_a_look_ahead(browser, headers):
    back, cookie = await open_visit(browser)
    address = (await ask_tab(browser, back.headers["location"], cookie)).json()["url"]
    assert (await browser.get(address, headers=headers)).status_code == 403
    assert (await browser.head(address)).status_code in (404, 405)
    assert (await browser.get(address)).status_code == 303


async def test_a_key_of_one_visit_opens_no_other(browser, visits, site, context, access):
    back, cookie = await open_visit(browser)
    key = (await ask_tab(browser, back.headers["location"], cookie)).json()["url"].partition("?")[2]
    other = await visits.start(site)
    await visits.open(other, context, access)
    assert (await browser.get(f"/visit/{other.id}/tab?{key}")).status_code == 403
    assert (await browser.get(f"{back.headers['location']}tab?{key}")).status_code == 303


async def test_what_the_frame_listens_to_ends_when_the_tab_takes_over(browser):
    back, cookie = await open_visit(browser)
    place = back.headers["location"]
    listening = asyncio.create_task(browser.get(f"{place}api/events", headers=cookie))
    await asyncio.sleep(0.3)
    assert not listening.done()
    assert (await browser.get((await ask_tab(browser, place, cookie)).json()["url"])).status_code == 303
    assert (await asyncio.wait_for(listening, 3)).status_code == 200


async def test_without_the_ledger_the_visit_stays_where_it_is(browser, monkeypatch):
    back, cookie = await open_visit(browser)
    place = back.headers["location"]
    address = (await ask_tab(browser, place, cookie)).json()["url"]

    async def fail(self, entry):
        raise LedgerError("ledger.unwritable", "The log can't be written.")

    monkeypatch.setattr(Ledger, "append", fail)
    assert (await browser.get(address)).status_code == 503
    assert (await browser.get(f"{place}api/view", headers=cookie)).status_code == 200


async def test_a_visit_that_is_over_is_moved_no_more(browser):
    back, cookie = await open_visit(browser)
    place = back.headers["location"]
    address = (await ask_tab(browser, place, cookie)).json()["url"]
    await browser.post(f"{place}api/end", headers={**cookie, **OWN}, json={"outcome": "cancelled"})
    assert (await browser.get(address)).status_code == 409
    assert (await ask_tab(browser, place, cookie)).json()["error"]["code"] == "visit.over"


async def test_no_key_is_in_the_log_or_the_ledger(browser, caplog, tmp_path):
    caplog.set_level(0)
    back, cookie = await open_visit(browser)
    address = (await ask_tab(browser, back.headers["location"], cookie)).json()["url"]
    await browser.get(address)
    await browser.get(address)
    key = address.partition("key=")[2]
    lines = (tmp_path / "state" / "ledger.jsonl").read_text()
    own = [record.getMessage() for record in caplog.records if record.name.startswith("countersign")]
    assert any("visit.moved" in line for line in own)
    assert '"front:visit:move"' in lines
    assert key not in lines
    assert not any(key in line for line in own)


async def test_after_the_end_the_front_shows_the_receipt_and_the_signature(browser, watch):
    back, cookie = await open_visit(browser)
    path = back.headers["location"] + "api/"
    report = {"outcome": "filed", "document": "DocumentReference/7", "destroyed": ["transcript"]}
    assert (await browser.post(path + "end", headers={**cookie, **OWN}, json=report)).status_code == 200
    await asyncio.sleep(1)
    view = (await browser.get(path + "view", headers=cookie)).json()
    assert (view["phase"], view["outcome"], view["patient"]) == ("ended", "filed", None)
    assert view["receipt"]["document"] == "DocumentReference/7"
    assert view["signature"]["status"] == "awaiting"
    watch.signed = True
    await asyncio.sleep(0.3)
    later = (await browser.get(path + "view", headers=cookie)).json()
    assert later["signature"]["status"] == "signed"
    assert later["version"] > view["version"]
    refused = await browser.post(path + "draft", headers={**cookie, **OWN}, json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "visit.over")


@pytest.mark.parametrize("path", ["/visit/unknown/", "/visit/unknown/api/view", "/page/../gateway/app.py", "/nothing"])
async def test_what_is_not_there_is_a_sentence(browser, path):
    reply = await browser.get(path)
    assert reply.status_code == 404
    assert "Open Countersign again" in reply.text


@pytest.mark.parametrize(
    "name", ["..%2f..%2fpyproject.toml", "%2e%2e/pyproject.toml", "index.html%00.js", "tsconfig.json"]
)
async def test_no_file_outside_the_page_is_served(browser, name):
    assert (await browser.get(f"/page/{name}")).status_code == 404


async def test_an_error_that_nobody_expected_is_a_sentence_with_every_header(browser, desk, caplog):
    desk.error = ValueError("what the patient said")
    back, _ = await open_visit(browser)
    assert back.status_code == 500
    assert "Something went wrong in Countersign" in back.text
    assert back.headers["cache-control"] == "no-store"
    assert "frame-ancestors https://ehr.example.org" in back.headers["content-security-policy"]
    own = [record.getMessage() for record in caplog.records if record.name.startswith("countersign")]
    assert any(line.startswith("front.fault error=ValueError at=") for line in own)
    assert "patient said" not in back.text + "".join(own)


async def test_a_database_that_can_not_be_written_opens_no_visit(browser, database, visits, run_dir, monkeypatch):
    def fail(*given):
        raise OSError("disk full")

    monkeypatch.setattr(database, "add_visit", fail)
    back, _ = await open_visit(browser)
    assert back.status_code == 409
    assert "database can" in back.text
    assert visits.count_running() == 0
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots"}


@pytest.mark.parametrize(
    "given", [{"host": "evil.example"}, {"x-forwarded-host": "evil.example"}, {"forwarded": "host=evil.example"}]
)
async def test_no_address_is_made_of_what_a_request_says_its_host_is(browser, given):
    left = await browser.get("/launch", params={"iss": browser.issuer, "launch": "l1"}, headers=given)
    assert "evil" not in left.headers["location"]
    back = await browser.get("/callback?code=c&state=state-0", headers={**given, "cookie": cookie_header(left)})
    assert back.headers["location"].startswith("/visit/")
    page = await browser.get(back.headers["location"], headers=given)
    assert "evil" not in page.text + page.headers["content-security-policy"]
    cookie = {"cookie": cookie_header(back)}
    own = {"origin": "http://evil.example", **given}
    assert (await browser.post(f"{back.headers['location']}api/echo", headers={**cookie, **own})).status_code == 403


async def test_there_is_no_web_socket_but_a_sessions(browser):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    headers = [(b"origin", ORIGIN.encode())]
    scope = {
        "type": "websocket",
        "path": "/visit/x/api/view",
        "headers": headers,
        "query_string": b"",
        "subprotocols": [],
    }
    await browser._transport.app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]  # before it was accepted: 403


async def test_a_lines_sound_goes_to_the_holder_byte_for_byte_and_is_stored_nowhere(browser):
    back, cookie = await open_visit(browser)
    path = f"{back.headers['location']}api/segments/3/sound"
    reply = await browser.get(path, headers={**cookie, "range": "bytes=0-"})
    assert (reply.status_code, reply.content) == (200, bytes(range(256)) * 3_125)
    wanted = {"content-type": "audio/wav", "content-length": "800000", "cache-control": "no-store"}
    assert {name: reply.headers[name] for name in wanted} == wanted
    assert (await browser.get(path)).status_code == 403


async def test_a_visit_does_not_say_what_a_browser_may_do_with_its_answer(browser):
    back, cookie = await open_visit(browser)
    reply = await browser.get(f"{back.headers['location']}api/evil", headers=cookie)
    assert "default-src 'self'" in reply.headers["content-security-policy"]
    assert reply.headers["cache-control"] == "no-store"
    assert not any("evil" in value or value in ("*", "/") for value in reply.headers.values())
    assert "clear-site-data" not in reply.headers
    asked = await browser.post(f"{back.headers['location']}api/echo", headers={**cookie, **OWN})
    assert "set-cookie" not in asked.headers


@pytest.mark.parametrize(
    "path",
    [
        "api/%2e%2e/internal/expire",
        "api/..%2finternal%2fexpire",
        "api//internal/expire",
        "api/%C3%A9",
        "internal/expire",
    ],
)
async def test_what_is_the_fronts_alone_is_not_reached_from_a_browser(browser, path, visits):
    back, cookie = await open_visit(browser)
    reply = await browser.post(f"{back.headers['location']}{path}", headers={**cookie, **OWN}, content=b"{}")
    assert reply.status_code in (404, 405)
    assert (await browser.get(f"{back.headers['location']}api/view", headers=cookie)).status_code == 200


async def test_a_visits_address_written_otherwise_leads_nowhere(browser):
    back, cookie = await open_visit(browser)
    visit = back.headers["location"].split("/")[2]
    other = f"%{ord(visit[0]):02X}{visit[1:]}"
    assert (await browser.get(f"/visit/{other}/api/view", headers=cookie)).status_code == 404


REFLECTED = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "path",
    [
        f"/launch?iss={REFLECTED}",
        f"/launch?site={REFLECTED}",
        f"/callback?state={REFLECTED}&code=x",
        f"/callback?state=state-0&error={REFLECTED}&error_description={REFLECTED}",
        f"/visit/{REFLECTED}/",
        f"/visit/{REFLECTED}/tab?key={REFLECTED}",
        f"/visit/{REFLECTED}/api/view",
        f"/page/{REFLECTED}",
        f"/{REFLECTED}",
    ],
)
async def test_no_page_repeats_what_was_asked(browser, path):
    reply = await browser.get(path, headers={"user-agent": REFLECTED, "referer": REFLECTED})
    assert reply.status_code >= 400
    assert "alert(1)" not in reply.text
    assert not any("alert(1)" in value for value in reply.headers.values())


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_go_no_further(browser, method):
    for path in ("/launch", "/callback", "/health", "/visit/x/", "/visit/x/tab"):
        reply = await browser.request(method, path, headers=OWN)
        assert reply.status_code in (404, 405), (method, path)
        assert "access-control-allow-origin" not in reply.headers


async def test_launches_that_nobody_completes_do_not_fill_the_memory(site, clock):
    class Starter:
        async def start_launch(self, issuer, launch, redirect_uri, secret):
            return AuthorizationRequest(f"https://ehr.test/authorize?state={secret}")

    desk = LaunchDesk(Starter(), "http://localhost:8000/callback", 10, clock)
    first = await desk.begin(site, "l")
    for _ in range(MOST_EXPECTED):
        last = await desk.begin(site, "l")
    assert desk.find(first.state) is None
    assert desk.find(last.state) is not None
    assert len(desk._expected) == MOST_EXPECTED


async def test_the_pages_files_keys_and_health_are_served(browser):
    assert (await browser.get("/page/api.js")).headers["content-type"].startswith("text/javascript")
    assert (await browser.get("/front.css")).status_code == 200
    keys = await browser.get("/.well-known/jwks.json")
    assert keys.headers["cache-control"] == "public, max-age=300"
    assert (await browser.get("/health")).json() == {"ready": True, "visits": 0}


async def test_an_ehr_may_notify_without_an_origin_and_nobody_else_may_post(browser):
    assert (await browser.post("/notify/unknown")).json()["error"]["code"] == "front.path"
    for path in ("/notify", "/visit/v/tab", "/notif"):
        assert (await browser.post(path)).json()["error"]["code"] == "front.origin"
