"""Stages `visual` and `tone`: the peak frame and the voice in words, from templates or models.

A template states only measurements. A model behind an endpoint gets the peak frame or the voice;
the form of its answer is checked here, contradictions when the reason is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.endpoints.answers import Answers
from emollama.endpoints.client import Endpoint, Message
from emollama.endpoints.many import Many
from emollama.media.clip import MediaError
from emollama.media.data_urls import picture_url, wav_base64
from emollama.media.decode import decode_clip
from emollama.merr.build import Build, Counts, Item
from emollama.merr.emotion import EMOTION, face_rules
from emollama.merr.fill import Plan, each, fill
from emollama.merr.measure.frames import peak_image
from emollama.merr.measure.tools import CLIPS, UNITS, VOICE
from emollama.merr.models.asking import endpoint_of
from emollama.merr.models.structured import Description, ask_structured
from emollama.merr.norms import apex, person_seen, read_norms
from emollama.merr.peak import PEAK
from emollama.merr.phrases import signs_in_words, tone_words, with_article
from emollama.merr.settings import ModelSection
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table

VISUAL, TONE = "visual", "tone"
MEASURED = "measured"
"""The source of a row that a template wrote."""


def run_visual(build: Build) -> Counts:
    """The face: signs over the clip and at the peak in words, and a model's description."""
    norms, rules = read_norms(build.stages), face_rules(build.settings)
    templates = read_table("templates")

    def told(item: Item) -> Row:
        peak, person = item.rows[PEAK], person_seen(item.rows[CLIPS])
        clip = norms.face(apex(item.rows[UNITS]), rules.relative, person)
        signs = list(item.rows[EMOTION]["signs"])
        seen = signs_in_words(peak["signs"], peak["signs"], rules)
        return {
            "status": "ok",
            "source": MEASURED,
            "clip": templates["face"].format(signs=signs_in_words(signs, clip, rules)),
            "text": templates["visual"].format(time=f"{peak['time']:.1f}", signs=seen),
        }

    def question(item: Item) -> list[Message]:
        clip = item.rows[CLIPS]
        time = (clip.get("start") or 0.0) + item.rows[PEAK]["time"]
        picture = picture_url(peak_image(build.media(clip["video"]), time, clip.get("view")))
        return _messages(VISUAL, {"type": "image_url", "image_url": {"url": picture}})

    reads = (CLIPS, UNITS, EMOTION, PEAK)
    options = [norms.fingerprint, rules.fingerprint, read_table("phrases"), templates]
    return _describe(build, VISUAL, reads, options, told, question)


def run_tone(build: Build) -> Counts:
    """The voice: words for the prosody, and a model's description."""
    norms, templates = read_norms(build.stages), read_table("templates")

    def told(item: Item) -> Row:
        prosody = item.rows[VOICE]["prosody"]
        if prosody is None:
            return {"status": "ok", "source": MEASURED, "words": [], "text": ""}
        words = tone_words(norms.voice(prosody, item.rows[CLIPS].get("speaker")))
        compared = norms.compared_with(item.rows[CLIPS].get("speaker"))
        text = templates["tone"].format(
            words=with_article(words) if words else templates["ordinary"], compared=compared
        )
        return {"status": "ok", "source": MEASURED, "words": words, "text": text,
                "compared_with": compared}  # fmt: skip

    def question(item: Item) -> list[Message]:
        clip = item.rows[CLIPS]
        path = build.media(clip.get("audio") or clip["video"])
        sound = decode_clip(
            path, start=clip.get("start"), end=clip.get("end"), want_video=False,
            max_seconds=build.settings.longest,
        ).audio  # fmt: skip
        data = wav_base64(sound if sound is not None else np.zeros(1, np.float32))
        return _messages(TONE, {"type": "input_audio",
                                "input_audio": {"data": data, "format": "wav"}})  # fmt: skip

    reads = (CLIPS, VOICE, EMOTION)
    options = [norms.fingerprint, templates]
    return _describe(build, TONE, reads, options, told, question)


def describer(section: ModelSection, name: str) -> Endpoint:
    """The endpoint that describes clips; a local model is an `EmollamaError`."""
    if section.kind == "local":
        raise EmollamaError(
            f"{name}.kind: 'local' is only for refine; use 'template' or an endpoint to "
            "describe pictures and voices (a local server such as vLLM or Ollama is an endpoint)"
        )
    return endpoint_of(section, name)


def _describe(
    build: Build,
    name: str,
    reads: tuple[str, ...],
    options: list[Any],
    told: Callable[[Item], Row],
    question: Callable[[Item], list[Message]],
) -> Counts:
    section: ModelSection = getattr(build.settings, name)
    if section.kind == "template":
        return fill(build, Plan(name, reads, 1, options), each(told))
    endpoint = describer(section, name)
    asked = endpoint.asked
    answers = Answers(build.out / "answers" / name, asked)

    def one(item: Item) -> Row:
        row = told(item)
        # A sound has no picture, whatever units came with it, and a silent clip no voice.
        if not (row["text"] if name == TONE else item.rows[CLIPS].get("video")):
            return row
        try:
            messages = question(item)
        except MediaError as error:
            return {"status": "rejected", "reason": error.reason, "detail": str(error)}
        found = ask_structured(messages, Description, lambda m: answers.ask(m, endpoint.ask))
        row["answers"] = list(found.hashes)
        if found.value is None:
            return {**row, "status": "rejected", "reason": "invalid answer",
                    "detail": found.problem}  # fmt: skip
        return {**row, "source": section.model, "text": found.value.description}

    many = Many(section.concurrency, name, section.url, answers.any())
    plan = Plan(name, reads, 1, [*options, asked, read_table("prompts")[name]], retry=True)
    return fill(build, plan, lambda todo: many.rows(todo, one))


def _messages(name: str, part: Message) -> list[Message]:
    prompt = read_table("prompts")[name]
    return [
        {"role": "system", "content": prompt["system"]},
        {"role": "user", "content": [{"type": "text", "text": prompt["user"]}, part]},
    ]
