"""`emollama explain`: a raw clip, or the samples of a split, with pictures, pages and a summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import write_json, write_text
from emollama.base.precision import Precision, Quantisation
from emollama.evaluation.results import say
from emollama.explain.case import Case, Settings, explain_row
from emollama.explain.figures import draw_case, draw_maps
from emollama.explain.gate_noise import gate_noise
from emollama.explain.page import write_page
from emollama.explain.summary import Summary, summarise
from emollama.inputs.common_labels import as_trained
from emollama.inputs.draws import drawn
from emollama.llm.inference import REASON_TOKENS
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.split_file import read_with_splits
from emollama.media.clip import Clip, MediaError
from emollama.media.cutting import Box
from emollama.media.decode import decode_clip
from emollama.media.whispers import Whisper
from emollama.runs.artefact import Artefact
from emollama.runs.run_folder import tell_left_out
from emollama.scoring.predictions.prediction import channel_truth
from emollama.session import open_artefact, open_session

_FRAME_SIDE = 240  # pixels of a frame on a sheet

Progress = Callable[[int, int], None]
"""Called with (explained clips, all clips)."""


@dataclass(frozen=True)
class Chosen:
    """The samples of a corpus to explain.

    Attributes:
        manifest: of the corpus; `split_file` replaces its splits.
        store: feature store; `features` is the folder with `npy:` folders of the same names.
        split: name of a split.
        ids: only these; () for no choice by id.
        count: number of samples, drawn by the seed; 0 for all.
        sheets: at most this many get pictures and a page.
    """

    manifest: Path
    store: Path | None = None
    split: str = "test"
    split_file: Path | None = None
    features: Path | None = None
    ids: tuple[str, ...] = ()
    count: int = 0
    sheets: int = 20


def explain_clip(
    model: Path,
    clip: Path,
    out: Path,
    settings: Settings,
    *,
    text: str | None = None,
    start: float | None = None,
    end: float | None = None,
    reason: bool = False,
    dtype: Precision = "auto",
    quantise: Quantisation | None = None,
    whisper: Whisper = Whisper(),  # noqa: B008  it is frozen
) -> Case:
    """Explain the answer to a raw clip; writes OUT/NAME.png, .html and .json.

    Raises:
        EmollamaError: the clip cannot be read, or a reason is requested from a model without text.
    """
    session = open_session(model, dtype, describe=False, whisper=whisper, quantise=quantise)
    _require_able(session.artefact, reason)
    look = session.look(clip, text, start, end)
    subject = session.subject(look)
    assert subject is not None
    case = explain_row(subject, 0, clip.stem, settings, text=look.text, notes=look.notes)
    if reason:
        # Asked again in another batch, two labels that are nearly equal may change places.
        answer = replace(session.answers([look])[0], label=case.answered.label)
        case = case.because(session.reason(look, answer=answer))
    write_case(case, out, film=film_of(clip, start, end))
    return case


def explain_split(
    model: Path,
    chosen: Chosen,
    out: Path,
    settings: Settings,
    *,
    reason: bool = False,
    noise: bool = False,
    dtype: Precision = "auto",
    quantise: Quantisation | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Explain samples of a split; writes cases/, summary.json and summary.md into `out`.

    Args:
        model: the artefact.
        chosen: the samples.
        out: folder.
        settings: settings of the explanations.
        reason: also write a reason for each clip with a page (LLM only).
        noise: also add noise to each modality and measure the gate (fusion only).
        dtype: of a language model.
        quantise: how a language model is held; None as in training.
        progress: called with the number of explained clips.

    Raises:
        EmollamaError: for mistakes of the user.
    """
    manifest = read_with_splits(chosen.manifest, chosen.split_file)
    artefact = open_artefact(model, dtype, quantise)
    manifest, _ = as_trained(manifest, artefact.labels, artefact.record)
    samples = _samples(manifest, chosen, settings.seed)
    _require_able(artefact, reason)
    loaded = artefact.load_samples(manifest, samples, chosen.split, chosen.store, chosen.features)
    tell_left_out(loaded.left_out, say)
    for note in loaded.notes:
        say(note)
    samples = list(loaded.samples)
    subject = loaded.subject()
    gate = gate_noise(artefact, loaded, seed=settings.seed) if noise else []
    cases = []
    for row, sample in enumerate(samples):
        case = explain_row(
            subject, row, sample.id, settings,
            text=sample.text,
            true=sample.targets.emotion,
            truth=channel_truth(sample, manifest.labels),
        )  # fmt: skip
        if reason and row < chosen.sheets:
            said = ""
            if artefact.taught_reasons:
                said = loaded.written([sample.id], None, "reason", REASON_TOKENS, 1)[0].text or ""
            case = case.because(loaded.checked(sample.id, said, case.answered.label))
        cases.append(case)
        if progress:
            progress(row + 1, len(samples))
    found = summarise(cases, gate, seed=settings.seed)
    for case, sample in zip(cases[: chosen.sheets], samples, strict=False):
        film = None if sample.video is None else film_of(
            manifest.media(sample.video), sample.start, sample.end, sample.view
        )  # fmt: skip
        write_case(case, out / "cases", found, film)
    write_json(
        out / "summary.json",
        {
            "model": model.as_posix(), "corpus": manifest.corpus, "split": chosen.split,
            "seed": settings.seed, "orders": settings.orders, **found.to_dict(),
            "cases": [case.to_dict() for case in cases],
        },
    )  # fmt: skip
    write_text(
        out / "summary.md", found.markdown(f"Explanations: {manifest.corpus} {chosen.split}")
    )
    return found


def film_of(
    video: Path, start: float | None = None, end: float | None = None, view: Box | None = None
) -> Clip | None:
    """Some frames of a clip, for its sheet; None where it has none or is not there."""
    try:
        return decode_clip(
            video, start=start, end=end, max_side=_FRAME_SIDE, want_audio=False, view=view
        )
    except MediaError:
        return None


def write_case(
    case: Case, folder: Path, over: Summary | None = None, film: Clip | None = None
) -> Path:
    """Write a clip's sheet, maps, page and JSON; returns the page."""
    sheet, maps = folder / f"{case.id}.png", folder / f"{case.id}-maps.png"
    draw_case(case, sheet, film)
    pictures = [(f"Scores, {case.parts}, time", sheet)]
    if draw_maps(case, maps):
        pictures.append(("The system's own maps", maps))
    target = folder / f"{case.id}.html"
    write_page(case, target, pictures, over.verdicts if over else ())
    write_json(folder / f"{case.id}.json", case.to_dict())
    return target


def _samples(manifest: Manifest, chosen: Chosen, seed: int) -> list[Sample]:
    split = list(manifest.split(chosen.split))
    if chosen.ids:
        known = {s.id: s for s in split}
        for name in chosen.ids:
            if name not in known:
                raise EmollamaError(
                    f"{manifest.path}: split '{chosen.split}' has no sample '{name}'"
                    f"{did_you_mean(name, known)}"
                )
        return [known[name] for name in dict.fromkeys(chosen.ids)]
    return drawn(seed, split, chosen.count)


def _require_able(artefact: Artefact, reason: bool) -> None:
    if not artefact.labels:
        raise EmollamaError(
            f"{artefact.folder}: predicts {', '.join(artefact.values)}; explanations "
            "need a model that scores labels"
        )
    if reason and not artefact.writes:
        raise EmollamaError(
            f"{artefact.folder}: is {artefact.title}, which cannot write text; leave --reason out"
        )
