"""Live sessions: what is said while it is sent is answered as the same clip in a file is."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from emollama.base.errors import EmollamaError
from emollama.media.decode import decode_clip
from emollama.media.presence import speech_activity
from emollama.serving import server as serving
from emollama.serving.live.incoming import MOST_BYTES, Incoming, jpeg_size
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.session import Session, open_session
from tests.features.made import write_wav
from tests.media.vowels import vowels
from tests.serving.running import Running, running
from tests.serving.test_page import scripts
from tests.serving.test_safe import KEY
from tests.session.people_made import fusion_of_people

TALK = np.concatenate(
    [vowels(0, 0.5), vowels(150, 1.2), vowels(0, 0.9), vowels(160, 0.8), vowels(0, 0.3)]
)
PCM = (32_767 * TALK).astype("<i2").tobytes()


def opened(server: Running, **headers: str) -> ClientConnection:
    address = server.address.replace("http:", "ws:")
    return connect(f"{address}/v1/live", additional_headers=headers, proxy=None)


def said(
    server: Running, hello: dict[str, Any], *messages: bytes | str, **headers: str
) -> tuple[list[dict[str, Any]], int]:
    """All that the server says to these messages, and the code it closes with."""
    with opened(server, **headers) as socket:
        told = []
        try:
            socket.send(json.dumps(hello))
            for message in messages:
                socket.send(message)
            while True:
                told.append(json.loads(socket.recv(timeout=60)))
        except ConnectionClosed as closed:
            return told, closed.rcvd.code if closed.rcvd else 0


def pieces(pcm: bytes = PCM) -> list[bytes]:
    return [b"s" + pcm[i : i + 3200] for i in range(0, len(pcm), 3200)]


def jpeg(width: int = 96, height: int = 64, **how: Any) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(file, "JPEG", **how)
    return file.getvalue()


def test_an_utterance_is_answered_as_its_file_is(
    server: Running, session: Session, tmp_path: Path
) -> None:
    told, code = said(server, {"transcribe": False}, *pieces(), '{"end": true}')
    assert code == 1000 and told[0]["type"] == "ready" and told[0]["labels"] == [*session.labels]
    assert [one["speaking"] for one in told if one["type"] == "state"] == [True, False, True, False]
    found = [one for one in told if one["type"] == "segment"]
    assert [(round(one["start"], 1), round(one["end"], 1)) for one in found] == [
        (pytest.approx(0.4, abs=0.2), pytest.approx(1.8, abs=0.2)),
        (pytest.approx(2.5, abs=0.2), pytest.approx(3.5, abs=0.2)),
    ]
    for one in found:
        low, high = (round(one[t] * 16_000) for t in ("start", "end"))
        with wave.open(str(tmp_path / "part.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(16_000)
            out.writeframes(PCM[2 * low : 2 * high])
        look = session.look(tmp_path / "part.wav", transcribe=False)
        (answer,) = session.answers([look])
        assert one["label"] == answer.label and one["seconds"] < 30
        scores = {x["label"]: x["score"] for x in one["labels"]}
        assert scores == pytest.approx(answer.scores, abs=1e-4)
        assert {"clues", "notes", "familiar", "coverage", "reason"} <= set(one)
    text = server.client.get("/metrics").text
    assert 'emollama_requests_total{route="/v1/live",status="200"} 2' in text
    assert "emollama_live_sessions 0.0" in text


def test_pictures_travel_with_the_sound_as_they_came() -> None:
    incoming = Incoming(speech_activity(), 4096)
    sent, found = [jpeg(quality=q) for q in range(20, 90)], []
    for piece, picture in zip(pieces(), sent, strict=False):
        incoming.see(picture)
        found += incoming.hear(piece[1:])
    found += incoming.finish()
    assert len(found) == 2
    for utterance in found:
        times = [picture.time for picture in utterance.pictures]
        assert times[0] == 0.0 and min(np.diff(times)[1:]) >= 0.15 and len(times) >= 4
        file = utterance.as_file()
        assert all(picture.data in file for picture in utterance.pictures)
        path = Path(f"/proc/self/fd/{_held(file)}")
        clip = decode_clip(path)
        assert clip.frames is not None and clip.frames.images.shape[1:] == (64, 96, 3)
        np.testing.assert_array_equal(clip.audio, utterance.sound / np.float32(32768))
    # Of a long silence next to nothing is kept.
    for _ in range(100):
        incoming.see(sent[0])
        list(incoming.hear(bytes(32_000)))
    assert len(incoming._sound) < 16_000 and len(incoming._pictures) < 4
    for how in ({}, {"progressive": True}):
        assert jpeg_size(jpeg(320, 200, **how)) == (320, 200)
    for data in (b"", b"\xff\xd8\xff", sent[0][:20], b"\x89PNG" + bytes(99), bytes([0xFF] * 999)):
        with pytest.raises(Refusal, match="must be a JPEG"):
            jpeg_size(data)


def _held(data: bytes) -> int:
    handle = os.memfd_create("clip")
    os.write(handle, data)
    return handle


def test_the_norm_of_who_speaks_is_built_as_the_session_goes(tmp_path: Path) -> None:
    session = open_session(fusion_of_people(tmp_path), describe=False)
    settings = Settings(port=0, watchers=1)
    with running(session, tmp_path / "up", settings) as server:
        told, code = said(server, {"transcribe": False}, *pieces(PCM * 2), '{"end": true}')
    people = [one["person"] and one["person"]["clips"] for one in told if one["type"] == "segment"]
    assert code == 1000 and people == [None, 2, 3, 4]
    assert not any("enrol" in note for one in told for note in one.get("notes", ()))


@pytest.mark.parametrize(
    ("messages", "status", "what"),
    [
        ([b"x1234"], 422, "a binary message must begin with 's' (sound) or 'p' (picture)"),
        ([b"s123"], 422, "sound must be whole 16-bit samples"),
        ([b"pnothing"], 422, "a picture must be a JPEG file"),
        ([b"p" + jpeg(1000, 4)], 422, "a picture of 1000 x 4; at most 640 pixels a side"),
        (["hello?"], 422, 'a text may only be {"end": true}'),
    ],
)
def test_what_is_no_message_of_a_session_ends_it(
    server: Running, messages: list[Any], status: int, what: str
) -> None:
    told, code = said(server, {}, *messages)
    assert code == 1008 and told[-1]["type"] == "error" and told[-1]["status"] == status
    assert what in told[-1]["error"]["message"]


@pytest.mark.parametrize(
    ("hello", "what"),
    [
        ({"mood": 1}, "mood: is not known here"),
        ({"coverage": 2}, "coverage: must be less than 1"),
        ({"coverage": 0.9}, "was not calibrated"),
        ([], "the first message must be a JSON object"),
    ],
)
def test_a_wrong_greeting_is_told(server: Running, hello: Any, what: str) -> None:
    told, code = said(server, hello)
    assert code == 1008 and what in told[0]["error"]["message"]


def test_a_message_has_a_limit(server: Running) -> None:
    _, code = said(server, {}, b"s" + bytes(MOST_BYTES))
    assert code == 1009


def test_who_is_let_in_and_for_how_long(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.4)
    settings = Settings(
        port=0, watchers=1, api_key=KEY, live=1, live_idle=1.5, origins=("https://example.org",)
    )
    key = {"Authorization": f"Bearer {KEY}"}
    with running(session, tmp_path / "up", settings) as server:
        for headers, status, what in (
            ({}, 401, "give the server's API key"),
            ({**key, "Origin": "https://elsewhere.org"}, 403, "other sites' web pages"),
        ):
            with pytest.raises(InvalidStatus) as refused:
                opened(server, **headers)
            assert refused.value.response.status_code == status
            assert what in json.loads(refused.value.response.body or b"")["error"]["message"]
        here = "127.0.0.1", int(server.address.rpartition(":")[2])
        with pytest.raises(InvalidStatus) as refused:
            connect("ws://example.org/v1/live", address=here, proxy=None)
        assert refused.value.response.status_code == 421
        with opened(server, **key, Origin="https://example.org") as socket:
            socket.send("{}")
            assert json.loads(socket.recv())["type"] == "ready"
            with pytest.raises(InvalidStatus) as refused:
                opened(server, **key)
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["retry-after"] == "5"
            # Longer than the head of a request may take, and no longer than it is used.
            time.sleep(1.0)
            socket.send(b"s" + bytes(3200))
            before = time.monotonic()
            told = json.loads(socket.recv(timeout=10))
            assert told["status"] == 408 and "nothing came for 1.5 s" in told["error"]["message"]
            assert time.monotonic() - before > 1.0
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
        with opened(server, **key) as socket:  # the place is free again
            socket.send("{}")
            assert json.loads(socket.recv())["type"] == "ready"


def test_a_session_goes_on_where_a_second_process_cannot_be_started(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise EmollamaError("clips cannot be decoded: their process died while starting")

    decoders = server.app.state.clips.decoders
    monkeypatch.setattr(type(decoders), "in_pairs", True)
    monkeypatch.setattr(decoders, "start", full)
    _, code = said(server, {"transcribe": True}, '{"end": true}')
    assert code == 1000


def test_the_client_of_the_page_runs_as_printed(server: Running, tmp_path: Path) -> None:
    script = next(s for s in scripts() if "/v1/live" in s)
    assert len(script.splitlines()) <= 30
    host = server.address.removeprefix("http://")
    (tmp_path / "live.py").write_text(script.replace("127.0.0.1:8000", host))
    write_wav(tmp_path / "talk.wav", TALK[: 2 * 16_000])  # it is played as fast as it is spoken
    for i in range(4):
        (tmp_path / f"{i}.jpg").write_bytes(jpeg())
    done = subprocess.run(
        [sys.executable, "live.py", "talk.wav", *(f"{i}.jpg" for i in range(4))],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\d+\.\d to \d+\.\d s: \w+", done.stdout, re.M)) == 1, done.stdout
