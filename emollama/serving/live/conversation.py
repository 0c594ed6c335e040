"""A live session: listens to a client, and answers each utterance in its turn."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from typing import Any

from pydantic import Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from emollama.base.errors import EmollamaError
from emollama.inputs.person import ClipMoments
from emollama.media.clip import SAMPLE_RATE
from emollama.media.presence import speech_activity
from emollama.recording.answering.answers import norm_notes, norm_of, segment_moments
from emollama.recording.segments import LONGEST
from emollama.serving.admission import Admission, Admitted
from emollama.serving.clips import Clips
from emollama.serving.emotion import emotion
from emollama.serving.invalid import told
from emollama.serving.live.incoming import MOST_BYTES, Incoming, Utterance
from emollama.serving.metrics import Metrics
from emollama.serving.refusal import Refusal, body_of
from emollama.serving.wire import EmotionAnswer, Strict
from emollama.session import ClipView

PATH = "/v1/live"
_WAITING = 2  # utterances that wait for their answer; then nothing more is read from the client
_CLIPS = 64  # latest utterances that a person's norm is of
_SOUND, _PICTURE = b"s", b"p"
_LEFT_OUT = {
    "id", "model", "duration", "timeline", "peak", "told", "transcript", "frames", "weights",
    "text_source", "seconds",
}  # fmt: skip
_REFUSED, _BROKEN = 1008, 1011  # codes of a close: against the rules, and our own fault

log = logging.getLogger("emollama.serving")


class Hello(Strict):
    """The first message: what is asked about each utterance.

    Attributes:
        transcribe: write down what is said; None where the model reads it, for it takes time.
        reason: also explain, where the model writes.
        coverage: also the set of labels for this share of utterances.
    """

    transcribe: bool | None = None
    reason: bool = False
    coverage: float | None = Field(default=None, gt=0, lt=1)


class End(Strict):
    """The last message: what is open is answered, then the session ends."""

    end: bool


class Conversation:
    """One live session, from its first message to its last answer.

    Args:
        socket: accepted.
        clips: analyses clips.
        admission: the door, which each utterance passes as a request does.
        metrics: count the answers.
    """

    def __init__(
        self, socket: WebSocket, clips: Clips, admission: Admission, metrics: Metrics
    ) -> None:
        self.socket, self.clips, self.admission = socket, clips, admission
        self.metrics = metrics
        self.session = clips.engine.session
        self.settings = admission.settings
        self.hello = Hello()
        self._heard: asyncio.Queue[tuple[Utterance, float] | None] = asyncio.Queue(_WAITING)
        self._moments: deque[ClipMoments] = deque(maxlen=_CLIPS)

    async def run(self) -> None:
        """Listen and answer until the client ends it or leaves, or breaks the rules."""
        code, refusal, gone = 1000, None, False
        try:
            self.hello = await self._greeted()
            async with asyncio.TaskGroup() as both:
                if self._words and self.clips.decoders.in_pairs:
                    both.create_task(self._two_decoders())
                both.create_task(self._listen())
                both.create_task(self._answer())
        except* WebSocketDisconnect:
            gone = True
        except* Refusal as refused:
            code, refusal = _REFUSED, refused.exceptions[0]
        except* Exception:
            code = _BROKEN
            log.exception("%s: unforeseen", self.socket.state.request_id)
        with suppress(WebSocketDisconnect):
            if isinstance(refusal, Refusal) and not gone:
                await self._tell(self._error(refusal))
            if not gone:
                await self.socket.close(code)

    async def _greeted(self) -> Hello:
        message = await self._next()
        hello = _read(Hello, message, "the first message must be a JSON object such as {}")
        try:
            self.session.require_calibrated(hello.coverage)
        except EmollamaError as error:
            raise Refusal(400, str(error), "coverage") from None
        if hello.reason and not self.session.writes:
            raise Refusal(400, f"model '{self.session.name}' writes no reasons", "reason")
        await self._tell({
            "type": "ready", "model": self.session.name, "labels": list(self.session.labels),
            "channels": list(self.session.channels), "rate": SAMPLE_RATE, "longest": LONGEST,
            "most_bytes": MOST_BYTES,
        })  # fmt: skip
        return hello

    async def _two_decoders(self) -> None:
        """Start what `look_once` can use; without the second one, answers take longer."""
        try:
            await asyncio.to_thread(self.clips.decoders.start, 2)
        except EmollamaError as error:
            log.warning("%s: %s", self.socket.state.request_id, error)

    async def _listen(self) -> None:
        incoming = Incoming(speech_activity(), self.settings.max_side)
        speaking = False
        while True:
            message = await self._next()
            data = message.get("bytes")
            if data is None:
                _read(End, message, 'behind the first message a text may only be {"end": true}')
                found = list(incoming.finish())
            elif data[:1] == _SOUND:
                # Beside the event loop: it takes a few milliseconds.
                found = await asyncio.to_thread(list, incoming.hear(data[1:]))
            elif data[:1] == _PICTURE:
                incoming.see(data[1:])
                continue
            else:
                raise Refusal(422, "a binary message must begin with 's' (sound) or 'p' (picture)")
            came = time.monotonic()
            if incoming.speaking != speaking or data is None:
                speaking = incoming.speaking and data is not None
                await self._tell(
                    {"type": "state", "time": round(incoming.time, 3), "speaking": speaking}
                )
            for utterance in found:
                await self._heard.put((utterance, came))
            if data is None:
                await self._heard.put(None)
                return

    async def _next(self) -> dict[str, Any]:
        """The next message of the client."""
        try:
            async with asyncio.timeout(self.settings.live_idle):
                message = await self.socket.receive()
        except TimeoutError:
            seconds = self.settings.live_idle
            raise Refusal(408, f"nothing came for {seconds:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        return dict(message)

    async def _answer(self) -> None:
        while (one := await self._heard.get()) is not None:
            utterance, came = one
            span = {"start": round(utterance.span.start, 3), "end": round(utterance.span.end, 3)}
            status = 200
            try:
                self.socket.state.spend()
                answer = await self._answered(utterance)
                found = answer.model_dump(mode="json", exclude=_LEFT_OUT)
                seconds = round(time.monotonic() - came, 3)
                await self._tell({"type": "segment", **span, **found, "seconds": seconds})
            except Refusal as refusal:  # of this utterance alone
                status = refusal.status
                await self._tell({**self._error(refusal), **span})
            self.metrics.answered(PATH, status, time.monotonic() - came)

    async def _answered(self, utterance: Utterance) -> EmotionAnswer:
        ends = asyncio.get_running_loop().time() + self.settings.deadline
        with self.admission.admit(ends, True, self.hello.reason) as admitted:
            return await self.admission.in_time(admitted, self._told(utterance, admitted))

    @property
    def _words(self) -> bool:
        """Whether what is said is written down."""
        wanted = self.hello.transcribe
        return "words" in self.session.channels if wanted is None else wanted

    async def _told(self, utterance: Utterance, admitted: Admitted) -> EmotionAnswer:
        file = await asyncio.to_thread(utterance.as_file)
        look = await self.clips.look_once([file], "live", None, self._words, (), soon=True)
        admitted.read()
        try:
            known = await self.clips.engine.call(lambda: self._measured(look))
            answer = await emotion(
                self.clips.engine, known, None, self.hello.reason, False, self.hello.coverage,
                admitted,
            )  # fmt: skip
        finally:
            self.session.forget(look)
        return answer.model_copy(update={"notes": list(norm_notes(answer.notes))})

    def _measured(self, look: ClipView) -> ClipView:
        """The view against the norm of who speaks, as far as the session has shown them."""
        moments = segment_moments(self.session, look)
        if moments is None:
            return look
        self._moments.append(moments)
        return self.session.known_as(look, norm_of(self.session, self._moments))

    def _error(self, refusal: Refusal) -> dict[str, Any]:
        request_id = self.socket.state.request_id
        body = body_of(refusal.status, refusal.message, request_id, refusal.param)
        return {"type": "error", "status": refusal.status, **body}

    async def _tell(self, message: dict[str, Any]) -> None:
        await self.socket.send_json(message)


def _read(kind: Any, message: dict[str, Any], otherwise: str) -> Any:
    text = message.get("text")
    if text is None:
        raise Refusal(422, otherwise)
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        found = error.errors()
        if any(one["type"] in ("json_invalid", "model_type") for one in found):
            raise Refusal(422, otherwise) from None
        where, said = told(found, None)
        raise Refusal(422, said, where) from None
