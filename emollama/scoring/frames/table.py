"""Systems over time side by side: CCC on validation and test, before and after smoothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.scoring.frames.workflow import choose_window, rows_of, targets_of, with_windows
from emollama.scoring.metrics.bootstrap import RESAMPLES, By
from emollama.scoring.metrics.continuous import concordance
from emollama.scoring.metrics.measure import Measure, paired, scored
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import read_predictions
from emollama.scoring.report.cells import Table, difference_text, score_text

SPLITS = ("val", "test")
Rows = Sequence[Prediction]
Build = Callable[[Rows], Measure]


def frame_table(
    folders: Sequence[Path],
    windows: Mapping[str, int],
    against: Path | None = None,
    resamples: int = RESAMPLES,
    by: By = "sample",
) -> Table:
    """A row for each quantity and folder.

    Args:
        folders: each with `val.jsonl` and `test.jsonl`, predictions files.
        windows: half width in frames by quantity; one that is not there is refused.
        against: another such folder; unsmoothed answers to its test are what others are held
            against.
        resamples: number of bootstrap resamples.
        by: what one draws: videos, or whole groups.

    Raises:
        EmollamaError: a file that is not there, a quantity without a window, or truths that
            differ between files.
    """
    found = {folder: _read(folder) for folder in folders}
    other = None if against is None else _read(against)
    targets = targets_of([row for splits in found.values() for row in splits["test"]])
    odd = [target for target in targets if target not in windows]
    if odd:
        raise EmollamaError(f"no window for {odd[0]}; give --window {odd[0]}=W")
    drawn: dict[str, Any] = {"resamples": resamples, "by": by}
    rows = []
    for target in targets:
        build = _concordance(target)
        for folder, splits in found.items():
            half, chosen = windows[target], choose_window(splits["val"], target)
            cells = [target, folder.name]
            for split in SPLITS:
                plain = with_windows(splits[split], {target: 0})
                smooth = with_windows(splits[split], {target: half})
                cells += [_score(build, r, drawn) for r in (plain, smooth)]
                if split == "test":
                    fitted = with_windows(plain, {target: chosen})
                    cells.append(_difference(build, smooth, plain, drawn))
                    cells.append(f"{chosen}: {_score(build, fitted, drawn)}")
            if other is not None:
                theirs = with_windows(other["test"], {target: 0})
                mine = with_windows(splits["test"], {target: 0})
                same = against is not None and against.resolve() == folder.resolve()
                cells.append("–" if same else _difference(build, mine, theirs, drawn))
            rows.append(tuple(cells))
    columns = [
        "quantity", "system", "validation", "smoothed", "test", "smoothed",
        "test: smoothed minus not", "test: window chosen on validation",
    ]  # fmt: skip
    if against is not None:
        columns.append(f"test, not smoothed, against {against.name}")
    count = {s: len(next(iter(found.values()))[s]) for s in SPLITS}
    said = ", ".join(f"{t} {windows[t]}" for t in targets)
    note = (
        f"CCC over all frames, limited to -1..1 [95 % interval, "
        f"{'whole groups' if by == 'group' else 'videos'} drawn {resamples} times]. Smoothed: mean "
        f"over 2w + 1 frames, w: {said}. Differences are paired."
    )
    title = f"{count['val']} videos validate, {count['test']} test"
    return Table(title, tuple(columns), tuple(rows), note)


def _read(folder: Path) -> dict[str, list[Prediction]]:
    return {split: rows_of(read_predictions(folder / f"{split}.jsonl")) for split in SPLITS}


def _concordance(target: str) -> Build:
    return lambda rows: concordance(rows, target)


def _score(build: Build, rows: Rows, drawn: Mapping[str, Any]) -> str:
    return score_text(scored(build(rows), **drawn).to_dict())


def _difference(build: Build, a: Rows, b: Rows, drawn: Mapping[str, Any]) -> str:
    return difference_text(paired(build, a, b, **drawn).to_dict())
