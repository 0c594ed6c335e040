"""/v1/emotion: from a clip to its emotion and the evidence."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from emollama.base.errors import EmollamaError
from emollama.llm.inference import REASON_TOKENS
from emollama.serving.admission import Admitted
from emollama.serving.engine import Engine
from emollama.serving.refusal import Refusal
from emollama.serving.wire import (
    EmotionAnswer,
    FamiliarOut,
    FramesOut,
    LanguageOut,
    PeakOut,
    PersonOut,
    PhraseOut,
    Score,
    ToldOut,
    WeightsOut,
)
from emollama.session import Answer, ClipView, Frames, Sampling, Turn, Weights
from emollama.session.coverage import with_coverage
from emollama.session.describing import require_describing, with_description
from emollama.session.disagreement import channels_alone, with_disagreement
from emollama.session.reasons import reason_from

_REASON = Sampling(max_new_tokens=REASON_TOKENS)


async def emotion(
    engine: Engine,
    look: ClipView,
    labels: Sequence[str] | None,
    reason: bool,
    weigh: bool,
    coverage: float | None,
    admitted: Admitted,
    describe: bool = False,
) -> EmotionAnswer:
    """Ask all questions about a clip; what is not answered in time is told in a note.

    Args:
        engine: runs the model.
        look: the clip.
        labels: labels to choose from; None for the model's own.
        reason: also let a language model explain.
        weigh: also weigh each channel's share in the answer.
        coverage: also give the set of labels for this share of clips.
        admitted: its place in the line, and until when the label waits for the rest.
        describe: also list emotion words of any vocabulary.

    Raises:
        Refusal: labels that the model cannot choose from, a coverage of a model that was not
            calibrated, or words of one that did not learn to list them.
    """
    started = time.monotonic()
    session = engine.session
    try:
        session.require_calibrated(coverage, labels)
    except EmollamaError as error:
        raise Refusal(400, str(error), "coverage") from None
    try:
        if describe:
            require_describing(session.artefact)
    except EmollamaError as error:
        raise Refusal(400, str(error), "describe") from None
    try:
        views = [look, *channels_alone(look, session.artefact.task)]
        answer, *alone = await engine.answers(views, labels)
        answer = with_disagreement(answer, look, alone)
    except EmollamaError as error:
        raise Refusal(400, str(error), "labels") from None
    if labels is None:
        answer = with_coverage(session.calibration, answer, coverage)
    weights: Weights | None = None
    reason, weigh = reason and session.writes, weigh and labels is None
    written = False
    try:
        async with asyncio.timeout_at(admitted.until):
            if reason:
                turns = [Turn("user", session.question("reason"))]
                reply, pieces = await engine.reply(look, turns, _REASON, admitted.writing, answer)
                said = await pieces.text()
                origin, written = reason_from(reply), True
                answer = replace(answer, reason=said if origin else None, reason_from=origin)
            if describe:
                plain = answer
                answer = await engine.call(lambda: with_description(session.artefact, look, plain))
            if weigh:
                weights = await engine.call(lambda: session.weights(look))
    except TimeoutError:
        asked = {
            "reason": reason and not written,
            "description": describe and answer.described is None,
            "weights": weigh,
        }
        missing = [name for name, left in asked.items() if left]
        why = f"no {' and no '.join(missing)}: not done within the server's deadline"
        answer = replace(answer, notes=(*answer.notes, why))
    seconds = look.observation.took + time.monotonic() - started
    return _told(session.name, look, answer, weights, seconds)


def _told(
    model: str, look: ClipView, answer: Answer, weights: Weights | None, seconds: float
) -> EmotionAnswer:  # fmt: skip
    observation, peak = look.observation, look.observation.peak
    return EmotionAnswer(
        id=f"emotion-{uuid4().hex[:24]}",
        model=model,
        duration=round(look.duration, 3),
        label=answer.label,
        labels=_ranked(answer.scores),
        shown=None if answer.labels is None else list(answer.labels),
        values=answer.values,
        frames=None if answer.frames is None else _frames(answer.frames),
        calibrated=None if answer.calibrated is None else _ranked(answer.calibrated),
        coverage=answer.coverage,
        label_set=None if answer.label_set is None else list(answer.label_set),
        undecided=None if answer.label_set is None else answer.undecided,
        person=None if answer.person is None else PersonOut(**answer.person.to_dict()),
        reason=answer.reason,
        reason_from=answer.reason_from,
        described=None if answer.described is None else list(answer.described),
        text=answer.text,
        text_source=look.text_source,
        language=None if look.language is None else LanguageOut(**look.language.to_dict()),
        speech_seconds=None if answer.speech_seconds is None else round(answer.speech_seconds, 2),
        familiar=None
        if answer.familiar is None
        else FamiliarOut.model_validate(answer.familiar.to_dict()),
        alone=answer.alone,  # type: ignore[arg-type]
        follows=list(answer.follows),  # type: ignore[arg-type]
        conflict=answer.conflict,
        face_reader=answer.face_reader,
        transcript=None
        if observation.transcript is None
        else [PhraseOut(**phrase.to_dict()) for phrase in observation.transcript],
        peak=None
        if peak is None
        else PeakOut(size=[peak.image.shape[1], peak.image.shape[0]], **peak.to_dict()),
        told=[ToldOut(**told.to_dict()) for told in observation.measurements],
        clues=answer.clues,
        compared_with=answer.compared_with,
        timeline=observation.timeline.to_dict(),
        absent=dict(answer.absent),
        channels=list(answer.channels),  # type: ignore[arg-type]
        weights=None if weights is None else WeightsOut(**weights.to_dict()),
        notes=list(answer.notes),
        seconds=round(seconds, 3),
    )


def _ranked(scores: Mapping[str, float]) -> list[Score]:
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    return [Score(label=k, score=round(v, 6)) for k, v in ranked]


def _frames(found: Frames) -> FramesOut:
    return FramesOut(
        times=list(found.times),
        values={
            name: [v if math.isfinite(v) else None for v in row]
            for name, row in found.values.items()
        },
    )
