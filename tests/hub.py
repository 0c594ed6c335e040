"""A model hub on this machine, as far as huggingface_hub needs one for small repositories."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from benchmarks.listening import listening

TOKEN = "hf_" + "t" * 34
LARGE = (".safetensors",)
"""Files that are uploaded through LFS, as the hub has it."""


@dataclass
class Repository:
    """Files of the one branch; `public` or for those with the token."""

    public: bool
    files: dict[str, bytes] = field(default_factory=dict)
    gated: bool = False

    @property
    def commit(self) -> str:
        digest = hashlib.sha1()
        for name, content in sorted(self.files.items()):
            digest.update(name.encode() + b"\0" + content)
        return digest.hexdigest()


class Hub:
    """The repositories, and what was asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.url = ""

    def add(self, name: str, files: dict[str, bytes], **settings: Any) -> Repository:
        self.repositories[name] = Repository(settings.pop("public", True), files, **settings)
        return self.repositories[name]


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()
    with listening(type("Handler", (_Handler,), {"hub": hub})) as url:
        hub.url = url
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        if self.path == "/":
            return self._send(200, b"")
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            name, what, revision = found.groups()
            if (repository := self._repository(name, revision)) is None:
                return
            if what == "tree":
                rows = [self._entry(n, c) for n, c in sorted(repository.files.items())]
                return self._json(rows)
            siblings = [{"rfilename": n} for n in sorted(repository.files)]
            return self._json({
                "id": name, "sha": repository.commit, "private": not repository.public,
                "siblings": siblings, "tags": [], "downloads": 0,
            })  # fmt: skip
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            name, revision, file = found.groups()
            if (repository := self._repository(name, revision)) is None:
                return
            if file not in repository.files:
                return self._error(404, "EntryNotFound")
            if self.command == "GET":
                self.hub.fetched.append(f"{name}/{file}")
            content = repository.files[file]
            etag = hashlib.sha256(content).hexdigest()
            return self._send(
                200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": repository.commit}
            )
        self._error(404, "")

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and "validate" not in self.path:
            return self._error(401, "")
        path = urlsplit(self.path).path
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if name in self.hub.repositories:
                return self._json({"url": f"{self.hub.url}/{name}"}, 409)
            self.hub.add(name, {}, public=asked.get("visibility") != "private")
            return self._json({"url": f"{self.hub.url}/{name}"})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = json.loads(body)["files"]
            return self._json({"files": [
                {"path": f["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular"}
                for f in files
            ]})  # fmt: skip
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._json({"transfer": "basic", "objects": [
                {"oid": o["oid"], "size": o["size"],
                 "actions": {"upload": {"href": f"{self.hub.url}/lfs/{o['oid']}"}}}
                for o in json.loads(body)["objects"]
            ]})  # fmt: skip
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            repository = self.hub.repositories[found[1]]
            for line in body.splitlines():
                row = json.loads(line)
                value = row["value"]
                if row["key"] == "file":
                    repository.files[value["path"]] = base64.b64decode(value["content"])
                elif row["key"] == "lfsFile":
                    repository.files[value["path"]] = self.hub.stored[value["oid"]]
            return self._json({
                "success": True, "commitOid": repository.commit,
                "commitUrl": f"{self.hub.url}/{found[1]}/commit/{repository.commit}",
            })  # fmt: skip
        self._error(404, "")

    def do_PUT(self) -> None:
        content = self._body()
        oid = self.path.rsplit("/", 1)[1]
        assert hashlib.sha256(content).hexdigest() == oid
        self.hub.stored[oid] = content
        self._send(200, b"")

    def _repository(self, name: str, revision: str | None) -> Repository | None:
        """The repository as far as this client may read it; else the answer is sent here."""
        found = self.hub.repositories.get(name)
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if found is None or not (found.public or known):
            self._error(404, "RepoNotFound")
        elif found.gated and not known:
            self._error(403, "GatedRepo")
        elif revision not in (None, "main", found.commit):
            self._error(404, "RevisionNotFound")
        else:
            return found
        return None

    @staticmethod
    def _entry(name: str, content: bytes) -> dict[str, Any]:
        row = {"type": "file", "path": name, "size": len(content)}
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return {**row, "oid": digest}

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
