"""The page as it is served: asked by a program, with a real process that decodes."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio
import httpx
import pytest
from gradio_client import Client, handle_file

from emollama.demo.server import running
from emollama.serving.origin import OTHER_SITE
from emollama.session import Session
from tests.demo.conftest import SETTINGS

HOW = (0.0, 1.0, 8)


@pytest.fixture(scope="module")
def address(session: Session) -> Iterator[str]:
    with running(session, SETTINGS, None) as found:
        yield found.rstrip("/")


@pytest.fixture(scope="module")
def config(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/config", timeout=60).json()
    return found


class Visitor:
    """A program that uses the page; what it shows goes by the parts' elem_id."""

    def __init__(self, address: str) -> None:
        self.client = Client(address, verbose=False)
        self.shown: dict[str, Any] = {}

    def does(self, name: str, *inputs: Any) -> dict[str, Any]:
        job = self.client.submit(*inputs, api_name=f"/{name}")
        job.result(timeout=300)
        config = self.client.config
        (wired,) = (d for d in config["dependencies"] if d["api_name"] == name)
        parts = {c["id"]: c for c in config["components"]}
        hidden = ("state", "column", "row")
        ids = [i for i in wired["outputs"] if parts[i]["type"] not in hidden]
        for values in job.outputs():
            for i, value in zip(ids, values, strict=True):
                unchanged = isinstance(value, dict) and value.get("__type__") == "update"
                if not unchanged:
                    name = str(parts[i]["props"].get("elem_id"))
                    # The line beside the control that was used; the others are emptied.
                    self.shown[name.partition("-")[0] if value else name] = value
                    if name.startswith("state-") and value:
                        self.shown["place"] = name
        return self.shown


def test_a_visit_by_a_program(address: str, config: dict[str, Any], clip: Path) -> None:
    visitor = Visitor(address)
    (own,) = (
        c["props"]["value"] for c in config["components"] if c["props"].get("elem_id") == "labels"
    )
    shown = visitor.does("open", handle_file(clip), own)
    assert "Probability of each label" in shown["answer"], shown["state"]
    first = shown["answer"]
    assert visitor.does("reword", "They broke it.")["answer"] != first
    shown = visitor.does("ask_emotion", *HOW)
    shown = visitor.does("ask", "What does he feel?", *HOW)
    assert [m["role"] for m in shown["chat"]].count("user") == 2
    worded = shown["answer"]
    shown = visitor.does("use", False, True)
    assert shown["answer"] != worded and "from words" in shown["answer"]
    saved = json.loads(Path(visitor.does("save_json")["saved"]).read_text(encoding="utf-8"))
    assert saved["left_out"] == ["voice"] and len(saved["exchanges"]) == 2
    # Another visitor has a visit of their own.
    assert (
        "choose a clip first" in Visitor(address).does("ask", "What does he feel?", *HOW)["state"]
    )


def test_a_file_that_is_too_large_or_no_clip_is_refused(address: str, tmp_path: Path) -> None:
    large = {"files": ("large.mp4", b"\0" * ((1 << 20) + 1))}
    found = httpx.post(f"{address}/gradio_api/upload", files=large, timeout=60)
    assert found.status_code == 413
    (tmp_path / "junk.mp4").write_bytes(b"no clip " * 100)
    state = Visitor(address).does("open", handle_file(tmp_path / "junk.mp4"), "")["state"]
    assert 'role="alert"' in state and "cannot be read" in state and "Traceback" not in state


def test_what_went_wrong_is_told_beside_the_control(address: str, tmp_path: Path) -> None:
    (tmp_path / "junk.mp4").write_bytes(b"no clip " * 100)
    junk = handle_file(tmp_path / "junk.mp4")
    for name, inputs, place in (
        ("open", (junk, ""), "clip"), ("ask", ("Why?", *HOW), "chat"), ("save_json", (), "saving"),
        ("reword", ("No.",), "words"), ("use", (True, True), "answer"),
    ):  # fmt: skip
        assert Visitor(address).does(name, *inputs)["place"] == f"state-{place}"


def test_only_this_machine_and_only_by_its_own_name(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    host = {"Host": "elsewhere.example"}
    assert httpx.get(address, headers=host, timeout=60).status_code == 400
    assert httpx.get(f"{address}/gradio_api/file=/etc/passwd", timeout=60).status_code == 403


def test_other_sites_and_addresses_elsewhere_are_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    upload, files = f"{address}/gradio_api/upload", {"files": ("a.mp4", b"a")}
    for origin in ("https://evil.example", "http://localhost:3000", "null", "http://[evil"):
        found = httpx.post(upload, files=files, headers={"Origin": origin}, timeout=60)
        assert found.status_code == 403 and "other sites" in found.text
        asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        found = httpx.options(upload, headers=asking, timeout=60)
        assert found.status_code == 403 and "access-control-allow-origin" not in found.headers
    own = {"Origin": address}
    assert httpx.post(upload, files=files, headers=own, timeout=60).status_code == 200

    fetched: list[str] = []

    async def fetch(url: str, *_: Any, **__: Any) -> str:
        fetched.append(url)
        return str(clip)

    for module in (gradio.processing_utils, gradio.route_utils, gradio.routes):
        for name in ("async_ssrf_protected_download", "secure_url_stream_response"):
            monkeypatch.setattr(module, name, fetch, raising=False)
    video = {"path": "https://example.com/x.mp4", "meta": {"_type": "gradio.FileData"}}
    for function, inputs in (("open", [video, ""]), ("reword", [{"deep": [video]}])):
        call = f"{address}/gradio_api/call/{function}"
        event = httpx.post(call, json={"data": inputs}, timeout=60).json()["event_id"]
        assert "event: error" in httpx.get(f"{call}/{event}", timeout=60).text
    for path in ("gradio_api/file=https://example.com/x.mp4", "file=HTTP://example.com/x.mp4"):
        assert httpx.get(f"{address}/{path}", timeout=60).status_code == 403
    assert fetched == []


def test_all_controls_have_a_label_and_nothing_comes_from_elsewhere(
    address: str, config: dict[str, Any]
) -> None:
    controls = ("textbox", "dropdown", "checkbox", "slider", "file", "video", "chatbot")
    found = [c for c in config["components"] if c["type"] in controls]
    assert len(found) >= 10
    for one in found:
        assert one["props"].get("label"), one["props"].get("elem_id")
        assert one["props"].get("show_label") is not False
    assert config["analytics_enabled"] is False
    assert not config.get("stylesheets")
    styles = httpx.get(f"{address}/theme.css", timeout=60).text
    assert "http" not in styles.replace("http://www.w3.org/", "")


def test_who_still_sends_is_told_why_nothing_is_taken(address: str) -> None:
    place = urlsplit(address)
    head = (
        "POST /gradio_api/upload HTTP/1.1", f"Host: {place.netloc}",
        "Origin: https://elsewhere.example", "Content-Length: 300000", "", "",
    )  # fmt: skip
    with socket.create_connection((str(place.hostname), int(place.port or 0)), 60) as sock:
        sock.sendall("\r\n".join(head).encode())
        for _ in range(3):
            time.sleep(0.2)
            sock.sendall(b"x" * 100_000)
        told = b"".join(iter(lambda: sock.recv(4096), b""))
    assert told.startswith(b"HTTP/1.1 403 ") and OTHER_SITE.encode() in told
