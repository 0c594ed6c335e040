"""The pages at / and /docs: the three calls, and every path; nothing is loaded from elsewhere."""

from __future__ import annotations

import html
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.routing import WebSocketRoute

_POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
       color-scheme: light dark; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8886; border-radius: 6px; }
td, th { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; }
code { white-space: nowrap; }
@media (max-width: 40rem) { td, th { display: block; } }
"""
_CALLS = (
    ("Which emotion, and why?", "curl{key} -F file=@CLIP.mp4 {address}/v1/emotion"),
    ("Upload a clip, to ask about it more than once",
     "curl{key} -F file=@CLIP.mp4 {address}/v1/files"),
    ("Ask about it, with any client of OpenAI's API",
     """curl{key} {address}/v1/chat/completions -H 'Content-Type: application/json' -d '{{
  "messages": [{{"role": "user", "content": [
    {{"type": "file", "file": {{"file_id": "ID OF THE UPLOAD"}}}},
    {{"type": "text", "text": "How can you tell?"}}]}}]}}'"""),
)  # fmt: skip


def page_routes(app: FastAPI, key: bool) -> None:
    """Add the pages.

    Args:
        app: the application, with all its other routes.
        key: whether requests need a key.
    """

    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> HTMLResponse:
        calls = "".join(
            f"<h2>{html.escape(title)}</h2><pre>{html.escape(call)}</pre>"
            for title, call in _calls(str(request.base_url).rstrip("/"), key)
        )
        needed = "<p>Every call needs the server's API key.</p>" if key else ""
        return _page(
            "emollama",
            "<p>Which emotion does a person in a clip show, and how can one tell?</p>"
            f"{needed}{calls}"
            '<p><a href="docs">All paths</a>, <a href="openapi.json">OpenAPI</a>.</p>',
        )

    @app.get("/docs", include_in_schema=False)
    async def paths() -> HTMLResponse:
        rows = "".join(
            f"<tr><td><code>WS {html.escape(route.path)}</code></td>"
            f"<td>{html.escape(route.endpoint.__doc__ or '')}</td></tr>"
            for route in app.routes
            if isinstance(route, WebSocketRoute)
        ) + "".join(
            f"<tr><td><code>{method.upper()} {html.escape(path)}</code></td>"
            f"<td>{html.escape(str(about.get('description', '')))}{_fields(app, about)}</td></tr>"
            for path, methods in app.openapi()["paths"].items()
            for method, about in methods.items()
        )
        return _page(
            "emollama: all paths",
            f'<p><a href=".">The three calls</a>, <a href="openapi.json">OpenAPI</a>.</p>'
            f"<table>{rows}</table>",
        )


def _calls(address: str, key: bool) -> list[tuple[str, str]]:
    given = " -H 'Authorization: Bearer KEY'" if key else ""
    return [(title, call.format(address=address, key=given)) for title, call in _CALLS]


def _fields(app: FastAPI, about: dict[str, Any]) -> str:
    """The fields of a request's body."""
    content = about.get("requestBody", {}).get("content", {})
    names: list[str] = []
    for body in content.values():
        reference = str(body["schema"].get("$ref", "")).rpartition("/")[2]
        schema = app.openapi()["components"]["schemas"].get(reference, {})
        names += [f"<code>{html.escape(name)}</code>" for name in schema.get("properties", {})]
    return f"<br>{', '.join(names)}" if names else ""


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>{body}</html>",
        headers=_POLICY,
    )
