"""Make a probe corpus: plan every clip, render missing ones in workers, write the manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.files import read_json, write_json
from emollama.base.processors import processor_count
from emollama.base.progress import Bar, bar, silent
from emollama.corpora.readers.aff_wild2 import read_frame_rows
from emollama.manifest.sample import Manifest, Sample, Targets, read_manifest, write_manifest
from emollama.probe.cast import Split
from emollama.probe.emotions import LABELS
from emollama.probe.plan import ClipPlan, Settings, plan_clip, split_sizes, truth
from emollama.probe.reasons import reference_reason
from emollama.probe.render import render_clip
from emollama.probe.scene_truth import read_truth, truth_path, view_samples
from emollama.probe.scenes import ScenePlan, plan_scene, render_scene, require_scene, scene_sizes
from emollama.probe.twins import TwinPlan, plan_twins, render_twin, twin_truth
from emollama.probe.videos import (
    VideoPlan,
    frames_path,
    plan_video,
    render_video,
    require_length,
    video_truth,
)
from emollama.probe.voice import Speaker, require_espeak
from emollama.workers.pool import Died, ProcessPool

CORPUS = "probe"
RECIPE_VERSION = 1
"""Increased whenever the same settings would give different clips."""

Plan = ClipPlan | TwinPlan | VideoPlan | ScenePlan

_CHUNK = 4  # clips that a worker takes at a time


def synthesize(
    out: Path,
    clips: int,
    seed: int,
    workers: int = 0,
    *,
    shown_by_voice: float = Settings.shown_by_voice,
    shown_by_face: float = Settings.shown_by_face,
    shown_by_words: float = Settings.shown_by_words,
    voice_noise: float = Settings.voice_noise,
    face_noise: float = Settings.face_noise,
    seconds: int = 0,
    people: int = 0,
    twins: bool = False,
    progress: bool = True,
) -> Manifest:
    """Write `out`/manifest.jsonl and `out`/clips/<id>.mp4, and return the manifest.

    Half of the clips are train, a tenth val and four tenths test; voices, faces and sentences of
    one split appear in no other. Each clip is a function of the settings, its split and its index
    alone. Finished clips of the same settings are kept, so a killed run can be repeated, or
    extended with more clips.

    Args:
        out: folder of the corpus.
        clips: number of clips, at least `plan.MINIMUM_CLIPS`.
        seed: seed of all random draws.
        workers: processes; 0 means one for each CPU this process may use.
        shown_by_voice: probability that the voice shows the intended emotion; likewise the others.
        shown_by_face: see above.
        shown_by_words: see above.
        voice_noise: see `plan.Settings`.
        face_noise: see `plan.Settings`.
        seconds: above 0, make videos of this length with several turns instead of clips, with
            valence and arousal of every frame in `out`/frames/<id>.txt.
        people: above 0, make scenes of this many people and of `seconds`, half of them train and
            half test, with the truth in `out`/clips/<id>.truth.json; the manifest holds their
            utterances.
        twins: make `clips` pairs of clips that are the same but for one cue.
        progress: show clips a second and time left on stderr.

    Raises:
        EmollamaError: espeakng-loader is missing, a setting is out of range, or `out` holds a
            probe corpus of other settings.
    """
    settings = Settings(
        seed, shown_by_voice, shown_by_face, shown_by_words, voice_noise, face_noise
    )
    if workers < 0:
        raise EmollamaError(f"workers {workers} must not be negative")
    if people:
        require_scene(seconds, people)
    elif seconds:
        require_length(seconds)
    sizes = scene_sizes(clips) if people else split_sizes(clips)
    places = [(split, i) for split, size in sizes.items() for i in range(size)]
    require_espeak()
    _claim(out, settings, seconds, people, twins)
    if twins:
        plans: list[Plan] = [p for split, i in places for p in plan_twins(settings, split, i)]
    else:
        plans = [_plan(settings, split, i, seconds, people) for split, i in places]
    missing = [plan for plan in plans if not _clip_path(out, plan).exists()]
    what = "scenes" if people else "clips"
    _render_all(out, missing, workers or processor_count(), what, bar if progress else silent)
    path = out / "manifest.jsonl"
    samples = [sample for plan in plans for sample in _samples(out, plan, settings)]
    write_manifest(path, CORPUS, LABELS, samples)
    return read_manifest(path)


def _plan(settings: Settings, split: Split, index: int, seconds: int, people: int) -> Plan:
    if people:
        return plan_scene(settings, split, index, seconds, people)
    if seconds:
        return plan_video(settings, split, index, seconds)
    return plan_clip(settings, split, index)


def _samples(out: Path, plan: Plan, settings: Settings) -> list[Sample]:
    """The sample of a clip, or those of a scene's utterances."""
    if isinstance(plan, ScenePlan):
        path = _clip_path(out, plan)
        return view_samples(read_truth(truth_path(path)), f"clips/{path.name}", plan.split)
    if isinstance(plan, VideoPlan):
        return [_video_sample(out, plan)]
    if isinstance(plan, TwinPlan):
        return [_sample(plan.clip, twin_truth(plan, settings))]
    return [_sample(plan, truth(plan, settings))]


def _clip_path(out: Path, plan: Plan) -> Path:
    return out / "clips" / f"{plan.clip_id}.mp4"


def _claim(out: Path, settings: Settings, seconds: int, people: int, twins: bool) -> None:
    """Record the settings beside the clips, so that clips of other settings are never reused."""
    record: dict[str, Any] = {"recipe": RECIPE_VERSION, **asdict(settings)}
    if seconds:
        record["seconds"] = seconds
    if people:
        record["people"] = people
    if twins:
        record["twins"] = True
    path = out / "settings.json"
    if path.exists():
        if read_json(path) != record:
            raise EmollamaError(
                f"{path}: this folder holds a probe corpus with other settings; choose "
                "another folder, or remove this "
                "one"
            )
    elif (out / "clips").exists() or (out / "manifest.jsonl").exists():
        raise EmollamaError(f"{out}: holds another corpus; choose another folder")  # fmt: skip
    else:
        write_json(path, record)


def _sample(plan: ClipPlan, known: dict[str, Any]) -> Sample:
    return Sample(
        id=plan.clip_id,
        video=f"clips/{plan.clip_id}.mp4",
        text=plan.casting.sentence.text,
        speaker=known["voice_id"],
        face=known["face_id"],
        group=known["face_id"],
        split=plan.split,
        targets=Targets(
            emotion=plan.intended,
            reason=reference_reason(known, plan.intended, (*plan.drawing, 2)),
        ),
        truth=known,
    )


def _video_sample(out: Path, plan: VideoPlan) -> Sample:
    known = video_truth(plan)
    truth = frames_path(_clip_path(out, plan))
    mean = read_frame_rows(truth).mean(axis=0)
    return Sample(
        id=plan.clip_id,
        video=f"clips/{plan.clip_id}.mp4",
        speaker=known["voice_id"],
        face=known["face_id"],
        group=known["face_id"],
        split=plan.split,
        targets=Targets(
            frames=truth.relative_to(out).as_posix(),
            valence=round(float(mean[0]), 6),
            arousal=round(float(mean[1]), 6),
        ),
        truth=known,
    )


def _render_all(out: Path, plans: list[Plan], workers: int, what: str, shown: Bar) -> None:
    size = 1 if what == "scenes" else _CHUNK
    chunks = [plans[i : i + size] for i in range(0, len(plans), size)]
    if not chunks:
        return
    with shown(what) as advance:
        advance(0, len(plans))
        if workers == 1 or len(chunks) == 1:
            with Speaker() as speaker:
                for done, plan in enumerate(plans, start=1):
                    _render(plan, speaker, out)
                    advance(done, len(plans))
            return
        pool: ProcessPool[Plan, Path] = ProcessPool(
            min(workers, len(chunks)), partial(_renderer, out), (__name__,)
        )
        done = 0
        with pool:
            for rendered, results in pool.run(iter(chunks)):
                if any(isinstance(result, Died) for result in results):
                    raise EmollamaError(
                        f"{out}: a worker was killed (too little memory?); run the same "
                        "command again with fewer --workers to "
                        "continue"
                    )
                done += len(rendered)
                advance(done, len(plans))


def _renderer(out: Path) -> tuple[None, Callable[[list[Plan]], list[Path]]]:
    """In a worker: returns the function that renders clips, with one espeak-ng process for all."""
    speaker = Speaker()
    return None, lambda plans: [_render(plan, speaker, out) for plan in plans]


def _render(plan: Plan, speaker: Speaker, out: Path) -> Path:
    path = _clip_path(out, plan)
    if isinstance(plan, ScenePlan):
        render_scene(plan, speaker, path)
    elif isinstance(plan, VideoPlan):
        render_video(plan, speaker, path)
    elif isinstance(plan, TwinPlan):
        render_twin(plan, speaker, path)
    else:
        render_clip(plan, speaker, path)
    return path
