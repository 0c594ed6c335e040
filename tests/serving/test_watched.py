"""What an operator and a newcomer see: readiness, counters, pages; and clips in a batch."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from emollama.serving.settings import Settings
from emollama.session import Session
from tests.serving.running import Running, running
from tests.serving.test_safe import KEY, error


def test_ready_is_not_the_same_as_alive(server: Running, session: Session) -> None:
    ready = server.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["model"] == session.name and ready.json()["writing"] == 0
    line = server.app.state.admission.writing
    place = line.join()
    line.seconds = server.settings.deadline + 7.5
    try:
        busy = server.client.get("/readyz")
        assert busy.status_code == 503 and busy.headers["retry-after"] == "8"
        assert "the wait is about" in error(busy)
        assert server.client.get("/healthz").status_code == 200
        shown = server.client.get("/metrics").text
        assert re.search(r"^emollama_writing_requests 1\.0$", shown, re.M)
        assert re.search(r"^emollama_writing_wait_seconds 127\.5$", shown, re.M)
    finally:
        place.leave()
        line.seconds = None


def test_requests_are_counted_by_route_and_never_by_what_a_client_wrote(server: Running) -> None:
    server.client.get("/v1/files/secret-name")
    server.client.get("/nothing-here")
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'emollama_requests_total{route="/v1/files/{file_id}",status="404"}' in answer.text
    assert 'emollama_requests_total{route="none",status="404"}' in answer.text
    assert "secret-name" not in answer.text and "nothing-here" not in answer.text


def test_pages_show_the_calls_and_load_nothing(session: Session, tmp_path: Path) -> None:
    with running(session, tmp_path / "up", Settings(port=0, watchers=1, api_key=KEY)) as server:
        for path in ("/", "/docs"):
            page = server.client.get(path)
            assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)
            assert KEY not in page.text
        start = server.client.get("/").text
        for call in ("/v1/emotion", "/v1/files", "/v1/chat/completions", "Bearer KEY"):
            assert call in start
        listed = server.client.get("/docs").text
        assert "POST /v1/batch" in listed and "<code>file_id</code>" in listed
        assert server.client.get("/readyz").status_code == 200
        assert server.client.get("/metrics").status_code == 401


def test_a_batch_answers_every_clip_in_its_place(server: Running, clip: Path) -> None:
    files = [("file", ("a.wav", clip.read_bytes())), ("file", ("b.wav", b"no clip at all"))]
    data = {"file_id": [server.upload(clip), "file-" + "0" * 32], "reason": "false",
            "transcribe": "false"}  # fmt: skip
    answer = server.client.post("/v1/batch", files=files, data=data)
    assert answer.status_code == 200, answer.text
    first, broken, third, unknown = answer.json()["data"]
    assert first["labels"] == third["labels"] and first["label"]
    assert "is not a readable media file" in broken["error"]["message"]
    assert "no such file id" in unknown["error"]["message"]
    assert len(list(server.folder.rglob("*.clip"))) == len(server.app.state.uploads.all())
    none = server.client.post("/v1/batch", data={"reason": "false"})
    assert none.status_code == 400 and "give 1 to 64 clips" in error(none)
    odd = server.client.post("/v1/batch", files=files[:1], data={"text": "So."})
    assert odd.status_code == 422 and "field 'text' is not known" in error(odd)


def test_the_same_clip_several_times_is_read_once(
    server: Running, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = server.upload(clip)
    watched: list[bool] = []
    decoders = server.app.state.clips.decoders
    watch = decoders.watch
    monkeypatch.setattr(decoders, "watch", lambda p, t: watched.append(t) or watch(p, t))
    data = {"file_id": [file_id] * 5, "reason": "false", "transcribe": "false"}
    answer = httpx.post(f"{server.address}/v1/batch", data=data, timeout=100)
    assert len(answer.json()["data"]) == 5 and watched == [False]
