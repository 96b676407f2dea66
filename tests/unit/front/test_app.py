"""The front's routes, with real visit processes behind them and a desk that a test fills."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.errors import EhrUnreachable, LaunchError
from gateway.front.app import create_front
from gateway.front.launching import Departure, Expected
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
async def browser(visits, desk, site):
    app = create_front(
        {"test": site},
        desk,
        visits,
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
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock"}


async def test_an_authorization_by_post_is_an_escaped_form(browser, desk):
    desk.form = {"state": "state-0", "scope": '"><script>alert(1)</script>'}
    reply = await browser.get("/launch", params={"iss": browser.issuer, "launch": "l1"})
    assert "<script>alert" not in reply.text
    assert "form-action https://ehr.test" in reply.headers["content-security-policy"]


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


async def test_the_pages_files_keys_and_health_are_served(browser):
    assert (await browser.get("/page/api.js")).headers["content-type"].startswith("text/javascript")
    assert (await browser.get("/front.css")).status_code == 200
    keys = await browser.get("/.well-known/jwks.json")
    assert keys.headers["cache-control"] == "public, max-age=300"
    assert (await browser.get("/health")).json() == {"ready": True, "visits": 0}
