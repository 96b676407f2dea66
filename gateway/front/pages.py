"""The front's own three pages: where to start, what went wrong, and on to the EHR by a form. No data of anybody.

Everything put into them is escaped; they have no script but the one static file, and no inline style.
"""

from collections.abc import Iterable, Mapping
from html import escape

from starlette.responses import HTMLResponse

from gateway.ehr.site import EhrSite
from gateway.errors import CountersignError
from gateway.front.headers import make_csp

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/front.css">
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

STYLE = """:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { max-width: 38rem; margin: 10vh auto 0; padding: 0 1rem; }
h1 { font-size: 1.25rem; font-weight: 600; }
ul { list-style: none; padding: 0; }
a, button { display: inline-block; min-height: 1.5rem; padding: .5rem 0; font: inherit; }
:focus-visible { outline: 3px solid; outline-offset: 2px; }
.code { font-size: .875rem; }
"""

SUBMIT_SCRIPT = "document.forms[0].requestSubmit();\n"


def show_start(sites: Iterable[EhrSite]) -> HTMLResponse:
    """The configured EHRs, each with its standalone launch."""
    items = "".join(
        f'<li><a href="/launch?site={escape(site.id)}">{escape(site.name)}</a></li>'
        for site in sites
        if site.launch.standalone
    )
    body = (
        f"<p>Open Countersign from a patient's chart in your EHR, or start here:</p><ul>{items}</ul>"
        if items
        else "<p>Open Countersign from a patient's chart in your EHR.</p>"
    )
    return _page("Countersign", body, 200, make_csp())


def show_error(error: CountersignError, site: EhrSite | None = None) -> HTMLResponse:
    """One sentence; ``site``'s own pages may frame it where the site is known."""
    body = f'<p role="alert">{escape(error.public)}</p><p class="code">{escape(error.code)}</p>'
    ancestors = site.frame_ancestors if site else ()
    return _page("Countersign could not be opened", body, type(error).status, make_csp(ancestors))


def show_form(url: str, fields: Mapping[str, str], site: EhrSite, origin: str) -> HTMLResponse:
    """On to the EHR's sign-in by POST (SMART 2.2 ``authorize-post``); the button works without script."""
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    body = (
        f'<form method="post" action="{escape(url)}">{inputs}<button>Continue to {escape(site.name)}</button></form>'
        '<script src="/front.js" defer></script>'
    )
    return _page("Countersign", body, 200, make_csp(site.frame_ancestors, form_action=origin))


def _page(title: str, body: str, status: int, csp: str) -> HTMLResponse:
    page = FRAME.format(title=escape(title), body=body)
    return HTMLResponse(page, status, headers={"Content-Security-Policy": csp})
