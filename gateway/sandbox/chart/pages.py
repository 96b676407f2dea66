"""Makes pages from templates: everything escaped, nothing from elsewhere, not framed by others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

FOLDER = Path(__file__).resolve().parent


class Pages:
    """The sandbox's templates, with a policy that names the app's address as the only other one."""

    def __init__(self, gateway_url: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._headers = {
            "Content-Security-Policy": "; ".join(
                (
                    "default-src 'none'",
                    "script-src 'self'",
                    "style-src 'self'",
                    "img-src 'self'",
                    "connect-src 'self'",
                    f"frame-src 'self' {gateway_url}",
                    "frame-ancestors 'self'",
                    "base-uri 'none'",
                )
            ),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def __call__(self, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        text = self._environment.get_template(template).render(values)
        return HTMLResponse(text, status, self._headers)
