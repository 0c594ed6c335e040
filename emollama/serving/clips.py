"""From a clip on disk to a `ClipView`.

Of an upload it is kept for further questions; of a clip that came inside a request nothing is left
when the request ends.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from emollama.base.errors import EmollamaError
from emollama.llm.processing import CHANNELS
from emollama.serving.decoders import DecoderPool
from emollama.serving.engine import Engine
from emollama.serving.once import Once
from emollama.serving.refusal import Refusal
from emollama.serving.uploads import Upload, Uploads
from emollama.session import ClipView, Observation

DATA_URL = r"^data:(video|audio|image)/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*;base64,[A-Za-z0-9+/]+={0,2}$"
_HEAD = re.compile(r"data:(video|audio|image)/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*;base64,", re.ASCII)
_KEPT = 64
T = TypeVar("T")


class Clips:
    """Uploads and their analyses. For use in the event loop's thread only."""

    def __init__(self, uploads: Uploads, decoders: DecoderPool, engine: Engine) -> None:
        self.uploads, self.decoders, self.engine = uploads, decoders, engine
        # By id, and whether somebody listened.
        self._sights: Once[tuple[str, bool], Observation] = Once(_KEPT)
        self._looks: Once[tuple[str, str | None, bool], ClipView] = Once(
            _KEPT, engine.session.forget
        )

    async def upload(self, chunks: Iterable[bytes], name: str) -> Upload:
        """Store a clip that is within the limits; otherwise raise a `Refusal`."""
        found = await self._inspected(chunks, name)
        self.uploads.keep(found)
        return found

    async def look(
        self, file_id: str, text: str | None, transcribe: bool, drop: Iterable[str]
    ) -> ClipView:
        """Analyse an upload, without the channels in `drop`.

        Raises:
            Refusal: unknown id, or a clip that cannot be read or has no usable channel.
        """
        upload = self.uploads.get(file_id)
        listen = self.engine.session.listens(text, transcribe)

        async def make() -> ClipView:
            return await self._seen(await self._sight(upload, listen), text)

        return _without(await self._looks.get((file_id, text, listen), make), drop)

    def unread(self, file_id: str, text: str | None, transcribe: bool) -> bool:
        """Whether an upload has to be read to be looked at; for an unknown id raise a `Refusal`."""
        self.uploads.get(file_id)
        listen = self.engine.session.listens(text, transcribe)
        return (file_id, True) not in self._sights and (file_id, listen) not in self._sights

    async def look_once(
        self, chunks: Iterable[bytes], name: str, text: str | None, transcribe: bool,
        drop: Iterable[str], most: int | None = None, soon: bool = False,
    ) -> ClipView:  # fmt: skip
        """Analyse a clip of at most this many bytes and leave no file behind; see `look`.

        The caller releases the result with `Session.forget`. `soon`: by two processes at the same
        time, where there is something to hear.
        """
        listen = self.engine.session.listens(text, transcribe)
        upload = await self._inspected(chunks, name, most)
        try:
            pool, path = self.decoders, upload.path
            apart = soon and listen and pool.in_pairs
            observation = await self._guarded(
                lambda: pool.watch_and_hear(path) if apart else pool.watch(path, listen)
            )
        finally:
            self.uploads.discard(upload)
        return _without(await self._seen(observation, text), drop)

    async def from_data(
        self, url: str, text: str | None, transcribe: bool, drop: Iterable[str]
    ) -> ClipView:
        """Analyse the clip in a data URL, like `look_once`."""
        head = _HEAD.match(url)
        if head is None:
            if url.startswith(("http:", "https:", "ftp:", "file:")):
                raise Refusal(
                    400,
                    "a URL is not fetched: upload the clip to /v1/files and give its file_id, "
                    "or send it as a data: URL",
                )
            raise Refusal(
                400,
                "a clip must be the id of an upload, or 'data:video/...;base64,...' (or audio, or "
                "image)",
            )
        try:
            data = await asyncio.to_thread(
                lambda: base64.b64decode(url[head.end() :], validate=True)
            )
        except (binascii.Error, ValueError):
            raise Refusal(400, "the clip's data is not valid base64") from None
        most = min(self.uploads.settings.max_bytes, self.uploads.settings.max_data_bytes)
        return await self.look_once([data], "data", text, transcribe, drop, most)

    def forget(self, file_id: str) -> None:
        """Remove an upload and its analysis."""
        self.uploads.remove(file_id)
        self._drop({file_id})

    def expire(self) -> None:
        """Remove expired uploads."""
        kept = {u.id for u in self.uploads.all()}
        seen = {key[0] for key in self._sights} | {key[0] for key in self._looks}
        self._drop(seen - kept)

    def _drop(self, ids: set[str]) -> None:
        self._sights.drop(lambda key: key[0] in ids)
        self._looks.drop(lambda key: key[0] in ids)

    async def _inspected(
        self, chunks: Iterable[bytes], name: str, most: int | None = None
    ) -> Upload:
        """Write a clip within the limits to disk, before any client knows its id."""
        writing = asyncio.ensure_future(
            asyncio.to_thread(lambda: self.uploads.write(chunks, name, most))
        )
        try:
            found = await asyncio.shield(writing)
        except asyncio.CancelledError:
            # A thread cannot be stopped; its file is removed when it has written it.
            writing.add_done_callback(self._late)
            raise
        try:
            await self._guarded(lambda: self.decoders.inspect(found.path))
        except BaseException:
            self.uploads.discard(found)
            raise
        return found

    def _late(self, writing: asyncio.Future[Upload]) -> None:
        if not writing.cancelled() and writing.exception() is None:
            self.uploads.discard(writing.result())

    async def _sight(self, upload: Upload, listen: bool) -> Observation:
        heard = (upload.id, True)
        if not listen and heard in self._sights:
            # All that can be seen is there; what was heard is not asked for.
            return (await self._watched(upload, True)).without_words()
        return await self._watched(upload, listen)

    async def _watched(self, upload: Upload, listen: bool) -> Observation:
        async def make() -> Observation:
            return await self._guarded(lambda: self.decoders.watch(upload.path, listen))

        return await self._sights.get((upload.id, listen), make)

    async def _seen(self, observation: Observation, text: str | None) -> ClipView:
        session = self.engine.session
        try:
            found: ClipView = await self.engine.call(lambda: session.look_at(observation, text))
        except EmollamaError as error:
            raise Refusal(422, str(error), "file") from None
        return found

    async def _guarded(self, work: Callable[[], T]) -> T:
        # Cancelled before its turn has come, it is never begun.
        return await asyncio.get_running_loop().run_in_executor(self.decoders.threads, work)


def _without(look: ClipView, drop: Iterable[str]) -> ClipView:
    dropped = tuple(drop)
    if not dropped:
        return look
    for channel in dropped:
        if channel not in CHANNELS:
            raise Refusal(
                400, f"channel '{channel[:40]}' is unknown; channels: {', '.join(CHANNELS)}"
            )
    try:
        return look.without(*dropped)
    except EmollamaError as error:
        raise Refusal(422, str(error), "drop") from None
