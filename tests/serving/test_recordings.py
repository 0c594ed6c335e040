"""Recordings as jobs: begun, looked after, cancelled, removed; and gone on with after a kill."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.media.clip import SAMPLE_RATE
from emollama.recording.analysis import Options
from emollama.serving.jobs import Asked, Jobs
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings
from emollama.session import open_session
from tests.features.made import write_wav
from tests.media.vowels import vowels
from tests.serving.running import Running, running
from tests.serving.test_safe import error
from tests.session.people_made import fusion_of_people


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fusion_of_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two voices in turn, 14 s."""
    sound = np.zeros(14 * SAMPLE_RATE, np.float32)
    for start, pitch in ((1, 110), (5, 215), (9, 112)):
        voice = vowels(pitch, 2.5)
        sound[start * SAMPLE_RATE : start * SAMPLE_RATE + len(voice)] = voice
    path = tmp_path_factory.mktemp("media") / "talk.wav"
    write_wav(path, sound)
    return path


def begin(server: Running, talk: Path, **form: str) -> str:
    files = {"file": ("The talk.wav", talk.read_bytes())}
    answer = server.client.post("/v1/recordings", files=files, data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def wait_for(server: Running, job: str, *states: str) -> dict:
    end = time.monotonic() + 240
    while (found := server.client.get(f"/v1/recordings/{job}").json())["status"] not in states:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return dict(found)


def test_a_job_from_begin_to_its_files_and_nothing_left(
    model: Path, talk: Path, tmp_path: Path
) -> None:
    session = open_session(model, describe=False)
    jobs = Jobs(tmp_path / "jobs", Options(model))
    with pytest.raises(EmollamaError, match="another server uses this folder"):
        Jobs(tmp_path / "jobs", Options(model))
    settings = Settings(port=0, watchers=1)
    with running(session, tmp_path / "up", settings, jobs) as server:
        ask = server.client
        job = begin(server, talk, transcribe="false")
        waiting = begin(server, talk, transcribe="false")
        # One that waits is cancelled at once, the one that runs goes on.
        assert ask.post(f"/v1/recordings/{waiting}/cancel").json()["status"] == "cancelled"
        unmade = ask.get(f"/v1/recordings/{waiting}/files/report.html")
        assert unmade.status_code == 404 and "; it is cancelled" in error(unmade)
        found = wait_for(server, job, "done", "failed")
        assert found["status"] == "done", found["error"]
        assert found["filename"] == "The talk.wav" and found["found"]["segments"] > 0
        assert "record.json" in found["files"] and "Article 5(1)(f)" in found["notice"]
        got = ask.get(f"/v1/recordings/{job}/files/record.json")
        assert got.json()["found"] == found["found"]
        assert got.headers["content-disposition"].startswith("attachment")
        for name in ("nothing.csv", "../job.json", "..%2fjob.json", "../recording"):
            assert ask.get(f"/v1/recordings/{job}/files/{name}").status_code == 404
        odd = ask.get(f"/v1/recordings/{job}/nothing")
        assert odd.status_code == 404 and "there is no path" in error(odd)
        assert [one["id"] for one in ask.get("/v1/recordings").json()["data"]] == [job, waiting]
        for one in (job, waiting):
            assert ask.delete(f"/v1/recordings/{one}").json()["deleted"]
        assert [p.name for p in (tmp_path / "jobs").iterdir()] == ["lock"]
        gone = ask.get(f"/v1/recordings/{job}")
        assert gone.status_code == 404 and "no such job id" in error(gone)
        broken = ask.post("/v1/recordings", files={"file": ("a.mp4", b"no recording")})
        told = wait_for(server, broken.json()["id"], "failed")
        assert "is not a readable media file" in told["error"]
        assert str(tmp_path) not in json.dumps(told)
        refused = ask.post(
            "/v1/recordings", files={"file": ("a.wav", talk.read_bytes())}, data={"explain": "true"}
        )
        assert refused.status_code == 400 and "writes no reasons" in error(refused)


def test_what_ran_when_the_server_ended_goes_on_and_a_killed_process_is_told(
    model: Path, talk: Path, tmp_path: Path
) -> None:
    first = Jobs(tmp_path, Options(model))
    job = first.add([talk.read_bytes()], "talk.wav", Asked(transcribe=False), 1 << 30)
    first.start()
    end = time.monotonic() + 200
    while first.get(job.id).state == "queued":
        assert time.monotonic() < end
        time.sleep(0.05)
    first.close()  # in the middle
    assert json.loads((tmp_path / job.id / "job.json").read_text())["state"] == "running"
    second = Jobs(tmp_path, Options(model))
    assert second.get(job.id).state == "queued"
    second.start()
    try:
        while second._running is None:
            time.sleep(0.02)
        os.kill(second._running[1].process.pid, signal.SIGKILL)
        while second.get(job.id).state == "running":
            assert time.monotonic() < end
            time.sleep(0.05)
        assert second.get(job.id).error == "the process that analysed it died"
        second.remove(job.id)
        assert not (tmp_path / job.id).exists()
        with pytest.raises(Refusal, match="at most 1 MiB"):
            second.add([b"0" * (1 << 20), b"0"], "big", Asked(), 1 << 20)
        assert second.all() == []
    finally:
        second.close()


def test_without_a_folder_there_are_no_recordings(server: Running, talk: Path) -> None:
    answer = server.client.post("/v1/recordings", files={"file": ("a.wav", talk.read_bytes())})
    assert answer.status_code == 404
    assert "/v1/recordings" not in server.client.get("/openapi.json").json()["paths"]
