"""From an upload to a `Look`, once: clips that were looked at are kept for further questions."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Iterable

from emollama.errors import EmollamaError
from emollama.llm.processing import CHANNELS
from emollama.serving.engine import Engine
from emollama.serving.guard import Guard
from emollama.serving.refusal import Refusal
from emollama.serving.uploads import Upload, Uploads
from emollama.session import Look, Sight

DATA_URL = r"^data:(video|audio)/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*;base64,[A-Za-z0-9+/]+={0,2}$"
_HEAD = re.compile(r"data:(video|audio)/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*;base64,", re.ASCII)
_KEPT = 64


class Clips:
    """Uploads and what has been seen in them. For the event loop's thread."""

    def __init__(self, uploads: Uploads, guard: Guard, engine: Engine) -> None:
        self.uploads, self.guard, self.engine = uploads, guard, engine
        self._sights: OrderedDict[tuple[str, bool], asyncio.Future[Sight]] = OrderedDict()
        self._looks: OrderedDict[tuple[str, str | None, bool], Look] = OrderedDict()

    async def upload(self, chunks: Iterable[bytes], name: str) -> Upload:
        """Keep a clip that is within the limits; any other is a `Refusal`."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, self.uploads.add, chunks, name)
        try:
            await loop.run_in_executor(self.guard.threads, self.guard.inspect, found.path)
        except BaseException:
            self.uploads.remove(found.id)
            raise
        return found

    async def from_data(self, url: str) -> Upload:
        """Keep the clip that a data URL holds."""
        head = _HEAD.match(url)
        if head is None:
            if url.startswith(("http:", "https:", "ftp:", "file:")):
                raise Refusal(
                    400, "no URL is fetched: upload the clip to /v1/files, or send a data URL"
                )
            raise Refusal(400, "a clip is 'data:video/...;base64,...' or the id of an upload")
        try:
            data = base64.b64decode(url[head.end() :], validate=True)
        except (binascii.Error, ValueError):
            raise Refusal(400, "the data URL holds no valid base64") from None
        return await self.upload([data], "data")

    async def look(
        self, file_id: str, text: str | None, transcribe: bool, drop: Iterable[str]
    ) -> Look:
        """An upload as the model sees it, without the channels in `drop`.

        Raises:
            Refusal: unknown id, or a clip that cannot be read or gives nothing to go by.
        """
        upload = self.uploads.get(file_id)
        key = (file_id, text, transcribe)
        if key not in self._looks:
            sight = await self._sight(upload, transcribe)
            session = self.engine.session
            try:
                look = await self.engine.call(lambda: session.look_at(sight, text))
            except EmollamaError as error:
                raise Refusal(422, str(error), "file") from None
            self._looks[key] = look
            while len(self._looks) > _KEPT:
                self._looks.popitem(last=False)
        look = self._looks[key]
        self._looks.move_to_end(key)
        dropped = tuple(drop)
        if not dropped:
            return look
        for channel in dropped:
            if channel not in CHANNELS:
                raise Refusal(400, f"channel '{channel[:40]}' is none of {', '.join(CHANNELS)}")
        try:
            return look.without(*dropped)
        except EmollamaError as error:
            raise Refusal(422, str(error), "drop") from None

    def forget(self, file_id: str) -> None:
        """Remove an upload and what was seen in it."""
        self.uploads.remove(file_id)
        self._drop(file_id)

    def expire(self) -> None:
        """Remove what has been kept long enough."""
        kept = {u.id for u in self.uploads.all()}
        seen = {key[0] for key in self._sights} | {key[0] for key in self._looks}
        for file_id in seen - kept:
            self._drop(file_id)

    def _drop(self, file_id: str) -> None:
        for sight in [k for k in self._sights if k[0] == file_id]:
            del self._sights[sight]
        for look in [k for k in self._looks if k[0] == file_id]:
            del self._looks[look]

    async def _sight(self, upload: Upload, transcribe: bool) -> Sight:
        key = (upload.id, transcribe)
        if key not in self._sights:
            loop = asyncio.get_running_loop()
            # Shared by all who ask at the same time; it goes on when one of them leaves.
            self._sights[key] = loop.run_in_executor(
                self.guard.threads, self.guard.watch, upload.path, transcribe
            )
            while len(self._sights) > _KEPT:
                self._sights.popitem(last=False)
        self._sights.move_to_end(key)
        found = self._sights[key]
        try:
            return await asyncio.shield(found)
        except Exception:
            self._sights.pop(key, None)
            raise
