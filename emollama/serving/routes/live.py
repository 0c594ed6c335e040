"""/v1/live: sound and pictures in, what is said and how it sounds out, over a WebSocket."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from emollama.base.errors import EmollamaError
from emollama.media.presence import speech_activity
from emollama.serving.gatekeeper import refuse
from emollama.serving.live.conversation import PATH, Conversation
from emollama.serving.metrics import Metrics
from emollama.serving.refusal import Refusal
from emollama.serving.settings import Settings


def live_route(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add the route; at most `settings.live` sessions run at a time."""
    running: set[WebSocket] = set()
    metrics.watch("live_sessions", "Live sessions", running.__len__)

    async def live(socket: WebSocket) -> None:
        """Sound and JPEG pictures in, an answer after each utterance out."""
        try:
            if socket.query_params:
                raise Refusal(422, "no route takes query parameters")
            if len(running) >= settings.live:
                raise Refusal(
                    429, f"{settings.live} live sessions are open; try again later", retry_after=5
                )
            running.add(socket)
            try:
                await asyncio.to_thread(speech_activity)
            except EmollamaError as error:
                raise Refusal(503, str(error)) from None
            await socket.accept()
            state = app.state
            await Conversation(socket, state.clips, state.admission, metrics).run()
        except Refusal as refusal:
            await refuse(socket.send, refusal, socket.state.request_id, "websocket.")
        finally:
            running.discard(socket)

    # Not FastAPI's own: what all other routes require is asked of requests alone.
    app.router.routes.append(WebSocketRoute(PATH, live))
