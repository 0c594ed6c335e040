"""After a frame regression: smoothing, ensembles, and the files that challenges ask for.

The steps and file names are those of the ABAW 2022 valence-arousal workflow (arXiv 2203.13032):
predictions over time are averaged over a centred window, clipped to -1..1, and written as JSON by
video and as text of one line a frame. Everything works on stored predictions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from emollama.base.errors import EmollamaError, did_you_mean, require_known
from emollama.base.files import write_text
from emollama.scoring.metrics import continuous
from emollama.scoring.metrics.continuous import numbers
from emollama.scoring.predictions.prediction import MODEL, Prediction, Quantity, set_name
from emollama.scoring.predictions.predictions import Predictions

WINDOWS = {"valence": 50, "arousal": 20}
"""Half widths in frames of 1/30 s that the original chose on its validation set."""

SEARCHED = tuple(range(0, 100, 5))
Form = Literal["column", "abaw"]


def smooth(values: Sequence[float] | np.ndarray, half: int) -> np.ndarray:
    """Mean over [t - half, t + half], 2 * half + 1 frames, fewer at the ends: [L] to [L]."""
    if half < 0:
        raise EmollamaError(f"window {half}: the half width must be 0 or more frames")
    series = np.asarray(values, float)
    total = np.concatenate([[0.0], np.cumsum(series)])
    at = np.arange(len(series))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(series))
    return np.asarray((total[high] - total[low]) / (high - low))


def clipped(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Limited to -1..1."""
    return np.clip(np.asarray(values, float), -1, 1)


def finished(values: Sequence[float] | np.ndarray, half: int) -> np.ndarray:
    """Smoothed, then clipped: what is handed in."""
    return clipped(smooth(values, half))


def rows_of(predictions: Predictions, system: str = MODEL) -> list[Prediction]:
    """The rows of one system, which must have answered with one set of channels.

    Raises:
        EmollamaError: the system is not there, or answered several times over.
    """
    where = predictions.path or "the predictions"
    if system not in predictions.systems():
        raise EmollamaError(
            f"{where}: system '{system}'{did_you_mean(system, predictions.systems())}"
        )
    sets = predictions.channel_sets(system)
    if len(sets) > 1:
        raise EmollamaError(
            f"{where}: '{system}' has rows with several sets of channels "
            f"({'; '.join(set_name(s) for s in sets)}); keep the rows of one"
        )
    return sorted(predictions.select(sets[0], system), key=lambda r: r.id)


def targets_of(rows: Sequence[Prediction]) -> tuple[str, ...]:
    """Names of the quantities that every row answers, in the order of the first.

    Raises:
        EmollamaError: there are none.
    """
    names = [n for n in (rows[0].values or {}) if all(n in (r.values or {}) for r in rows)]
    if not names:
        raise EmollamaError(
            f"id '{rows[0].id}': no quantity (valence, arousal) is answered by all rows"
        )
    return tuple(names)


def with_windows(rows: Sequence[Prediction], windows: Mapping[str, int]) -> list[Prediction]:
    """The rows with the quantities in `windows` smoothed by their half width and clipped."""
    return [
        row.model_copy(
            update={
                "values": {
                    **(row.values or {}),
                    **{n: tuple(finished(answer(row, n), w).tolist()) for n, w in windows.items()},
                }
            }
        )
        for row in rows
    ]


def answer(row: Prediction, target: str) -> tuple[float, ...]:
    """One quantity of a row over time.

    Raises:
        EmollamaError: the row does not answer it.
    """
    found = numbers(row, "values", target)
    if found is None:
        known = did_you_mean(target, row.values or {})
        raise EmollamaError(f"id '{row.id}': has no values.{target}{known}")
    return found


def concordance(rows: Sequence[Prediction], target: str) -> float | None:
    """CCC over all frames of all videos as one sequence; None where no truth is known."""
    return continuous.concordance(rows, target).value()


def choose_window(
    rows: Sequence[Prediction], target: str, searched: Sequence[int] = SEARCHED
) -> int:
    """The half width whose finished predictions have the highest CCC; the smallest of equals.

    Raises:
        EmollamaError: rows without a truth, on which nothing can be chosen.
    """
    scores = {w: concordance(with_windows(rows, {target: w}), target) for w in searched}
    known = {w: s for w, s in scores.items() if s is not None}
    if not known:
        raise EmollamaError(
            f"a window for {target} cannot be chosen: reference_values.{target} is missing or "
            f"constant; give --window {target}=W"
        )
    return max(known, key=lambda w: (known[w], -w))


@dataclass(frozen=True)
class Finish:
    """What became of one quantity's validation predictions; CCC as predicted, clipped, smoothed."""

    target: str
    window: int
    raw: float | None
    clipped: float | None
    smoothed: float | None

    def line(self) -> str:
        """One line for people."""
        numbers = ", ".join(
            f"{'no CCC' if value is None else f'{value:.4f}'} {name}"
            for name, value in (
                ("as predicted", self.raw), ("clipped", self.clipped), ("smoothed", self.smoothed),
            )
        )  # fmt: skip
        return f"{self.target}: CCC {numbers} over {2 * self.window + 1} frames"


def write_validation(folder: Path, rows: Sequence[Prediction], target: str, window: int) -> Finish:
    """Write `val_pred_{target}_*`: as predicted, clipped, smoothed, and their CCC."""
    raw = {r.id: np.array(answer(r, target)) for r in rows}
    stem = folder / f"val_pred_{target}"
    _write_json(Path(f"{stem}_nosmooth_ori.json"), rows, target, raw)
    _write_json(
        Path(f"{stem}_nosmooth.json"), rows, target, {k: clipped(v) for k, v in raw.items()}
    )
    _write_json(
        Path(f"{stem}_smooth.json"), rows, target, {k: finished(v, window) for k, v in raw.items()}
    )
    done = Finish(
        target,
        window,
        concordance(rows, target),
        concordance(with_windows(rows, {target: 0}), target),
        concordance(with_windows(rows, {target: window}), target),
    )
    facts = {
        "nosmooth_ori_ccc": done.raw,
        "nosmooth_ccc": done.clipped,
        "smoothed_ccc": done.smoothed,
        "window": window,
    }
    write_text(Path(f"{stem}_result.txt"), "".join(f"{k}: {v}\n" for k, v in facts.items()))
    return done


def write_test(folder: Path, rows: Sequence[Prediction], target: str, window: int) -> None:
    """Write `tst_pred_{target}_*`: clipped, and smoothed; truths are not written."""
    raw = {r.id: np.array(answer(r, target)) for r in rows}
    for name, made in (
        ("nosmooth", {k: clipped(v) for k, v in raw.items()}),
        ("smooth", {k: finished(v, window) for k, v in raw.items()}),
    ):
        _write_json(folder / f"tst_pred_{target}_{name}.json", rows, target, made, truth=False)


def _write_json(
    path: Path,
    rows: Sequence[Prediction],
    target: str,
    values: Mapping[str, np.ndarray],
    truth: bool = True,
) -> None:
    videos: dict[str, dict[str, Any]] = {}
    for row in rows:
        videos[row.id] = {"video_id": row.id, "pred": values[row.id].tolist()}
        label = numbers(row, "reference_values", target) if truth else None
        if label is not None:
            videos[row.id]["label"] = list(label)
    write_text(path, json.dumps(videos, ensure_ascii=False, allow_nan=False))


def ensemble(members: Sequence[Predictions], system: str = MODEL) -> list[Prediction]:
    """The plain mean of several files' predictions, frame by frame.

    Raises:
        EmollamaError: fewer than two files, or files that differ in videos, quantities or frames.
    """
    if len(members) < 2:
        raise EmollamaError("an ensemble needs at least two predictions files")
    columns = [{r.id: r for r in rows_of(m, system)} for m in members]
    first, names = columns[0], targets_of(list(columns[0].values()))
    made = []
    for member, column in zip(members[1:], columns[1:], strict=True):
        odd = sorted(first.keys() ^ column.keys())
        if odd:
            raise EmollamaError(
                f"{member.path}: id '{odd[0]}' is in only one of it and {members[0].path}; "
                "an ensemble needs the same videos in every file"
            )
    for key, row in first.items():
        values: dict[str, Quantity] = {}
        for name in names:
            each = [answer(column[key], name) for column in columns]
            for member, numbers_there in zip(members, each, strict=True):
                if len(numbers_there) != len(each[0]):
                    raise EmollamaError(
                        f"{member.path}: id '{key}': {name} has {len(numbers_there)} frames, "
                        f"in {members[0].path} {len(each[0])}"
                    )
            values[name] = tuple(np.mean(each, axis=0).tolist())
        for member, column in zip(members, columns, strict=True):
            if (column[key].times or row.times) != row.times:
                raise EmollamaError(
                    f"{member.path}: id '{key}': its frames have other times than in "
                    f"{members[0].path}"
                )
        made.append(
            Prediction(
                id=key,
                channels=row.channels,
                values=values,
                reference_values=row.reference_values,
                times=row.times,
                group=row.group,
                fold=row.fold,
            )
        )
    return made


def write_submission(folder: Path, rows: Sequence[Prediction], form: Form = "column") -> int:
    """Write text files of one line a frame; returns how many.

    "column": `<folder>/<target>/<video>.txt`, the target's name and then a number a line. "abaw":
    `<folder>/<video>.txt` with "valence,arousal". Numbers are limited to -1..1.

    Raises:
        EmollamaError: a video whose id is no file name, or one without both quantities ("abaw").
    """
    require_known("form", form, get_args(Form))
    names = targets_of(rows) if form == "column" else ("valence", "arousal")
    files: dict[Path, str] = {}
    for row in rows:
        if Path(row.id).name != row.id:
            raise EmollamaError(f"id '{row.id}': is not a valid file name")
        series = [clipped(answer(row, name)) for name in names]
        if form == "column":
            for name, numbers_of in zip(names, series, strict=True):
                lines = [name, *(f"{x:.6f}" for x in numbers_of)]
                files[folder / name / f"{row.id}.txt"] = "\n".join(lines) + "\n"
            continue
        if len(series[0]) != len(series[1]):
            raise EmollamaError(
                f"id '{row.id}': valence has {len(series[0])} frames and arousal {len(series[1])}"
            )
        pairs = [f"{v:.6f},{a:.6f}" for v, a in zip(*series, strict=True)]
        files[folder / f"{row.id}.txt"] = "\n".join(["valence,arousal", *pairs]) + "\n"
    for path, text in files.items():
        write_text(path, text)
    return len(files)
