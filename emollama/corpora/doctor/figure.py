"""The figure of a corpus: labels and lengths of the clips by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from emollama.base.drawing import BLUE, GREEN, ORANGE, PURPLE, SKY, STYLE, save_figure
from emollama.corpora.doctor.labels import LabelCounts

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
_REST = "all others"
_LABELS = 24  # at most so many are drawn, the most frequent ones
_MOST_BINS = 40


def draw_distributions(
    path: Path, title: str, counts: LabelCounts, lengths: Mapping[str, Sequence[float]], unit: str
) -> None:
    """Write a PNG of the labels and of the lengths; an empty part is left out.

    Args:
        path: the file.
        title: name of the corpus.
        counts: samples by split and label.
        lengths: lengths of the clips of each split, in `unit`.
        unit: "s", or "words" where there are no media.
    """
    counts, lengths = _largest(counts, lengths)
    splits = list(dict.fromkeys([*counts, *lengths]))
    colours = dict(zip(splits, _COLOURS, strict=False))
    panels = [bool(counts), any(lengths.values())]
    if not any(panels):
        path.unlink(missing_ok=True)
        return
    rows = min(len(next(iter(counts.values()), {})), _LABELS) * max(len(counts), 1)
    height = min(max(3.8, 1.4 + 0.21 * rows), 14) if counts else 3.8
    # A label or split of somebody's may hold a dollar sign and mean no formula.
    with style.context(["default", STYLE, {"text.parse_math": False}]):
        figure = Figure(figsize=(5.6 * sum(panels), height), layout="constrained")
        axes = list(np.atleast_1d(figure.subplots(1, sum(panels))))
        if panels[0]:
            _labels(axes.pop(0), counts, colours)
        if panels[1]:
            _lengths(axes.pop(0), lengths, colours, unit)
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
        # Outside the axes, where no bar can lie behind it.
        handles = [
            Patch(color=colour, label=_told(split, counts.get(split), lengths.get(split), unit))
            for split, colour in colours.items()
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3 * sum(panels) // 2)
        save_figure(figure, path)


def _largest(
    counts: LabelCounts, lengths: Mapping[str, Sequence[float]]
) -> tuple[LabelCounts, dict[str, list[float]]]:
    """One colour per split; if there are too few colours, the smaller splits are combined."""
    splits = list(dict.fromkeys([*counts, *lengths]))
    size = {s: max(len(lengths.get(s, ())), sum(counts.get(s, {}).values())) for s in splits}
    most = len(_COLOURS)
    alone = splits if len(splits) <= most else sorted(splits, key=lambda s: -size[s])[: most - 1]
    labels: LabelCounts = {}
    merged: dict[str, list[float]] = {}
    for split in sorted(splits, key=lambda s: (s not in alone, splits.index(s))):
        name = split if split in alone else _REST
        if split in counts:
            own = labels.setdefault(name, dict.fromkeys(counts[split], 0))
            for label, n in counts[split].items():
                own[label] += n
        if split in lengths:
            merged.setdefault(name, []).extend(lengths[split])
    return labels, merged


def _told(
    split: str, own: Mapping[str, int] | None, lengths: Sequence[float] | None, unit: str
) -> str:
    """'train: 832 labels, median 3.7 s'."""
    facts = []
    if own:
        facts.append(f"{sum(own.values()):,} labels")
    if lengths:
        facts.append(f"median {np.median(lengths):.3g} {unit}")
    return f"{split}: {', '.join(facts)}"


def _labels(axes: Axes, counts: LabelCounts, colours: Mapping[str, str]) -> None:
    """Each label's share of its split, with the number of samples at the bar's end."""
    total = {
        name: sum(own[name] for own in counts.values()) for name in next(iter(counts.values()))
    }
    shown = sorted(sorted(total, key=lambda n: -total[n])[:_LABELS], key=list(total).index)
    places = np.arange(len(shown))
    height = 0.8 / len(counts)
    longest = 0.0
    for k, (split, own) in enumerate(counts.items()):
        whole = sum(own.values())
        shares = [own[name] / max(whole, 1) for name in shown]
        longest = max(longest, *shares)
        y = places + (k - (len(counts) - 1) / 2) * height
        axes.barh(y, shares, height * 0.9, color=colours[split])
        for place, share, name in zip(y, shares, shown, strict=True):
            axes.annotate(
                f"{own[name]:,}", (share, place), (3, 0), textcoords="offset points",
                va="center", fontsize=7.5 if len(counts) < 4 else 6.5, color="#444444",
            )  # fmt: skip
    axes.set_yticks(places, shown)
    axes.invert_yaxis()
    axes.set_xlim(0, longest * 1.14 or 1)
    axes.xaxis.set_major_formatter(_percent)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of the split's labels (number: samples)")
    left_out = len(total) - len(shown)
    axes.set_title(f"Labels ({left_out} rarer ones not shown)" if left_out else "Labels")


def _lengths(
    axes: Axes, lengths: Mapping[str, Sequence[float]], colours: Mapping[str, str], unit: str
) -> None:
    """Outlines over common bins, each split's shares adding up to 1."""
    everything = np.concatenate([np.asarray(own, float) for own in lengths.values()])
    # A few clips of minutes would press all others into one bin; they are counted at the edge.
    high = float(np.quantile(everything, 0.995))
    behind = int((everything > high).sum()) if everything.max() > 1.5 * high else 0
    high = high if behind else float(everything.max())
    low = min(float(everything.min()), high)
    if unit == "words":
        step = max(1, round((high - low) / _MOST_BINS))
        edges = np.arange(np.floor(low) - 0.5, high + step + 0.5, step)
    else:
        # As coarse as the smallest split needs: a bin of two clips says nothing.
        fewest = min(len(own) for own in lengths.values() if len(own))
        bins = min(max(round(2.5 * fewest ** (1 / 3)), 8), _MOST_BINS)
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    for split, own in lengths.items():
        values = np.asarray(own, float)
        if not len(values):
            continue
        counted, _ = np.histogram(np.minimum(values, high), edges)
        axes.stairs(counted / len(values), edges, color=colours[split], linewidth=1.7)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_percent)
    axes.grid(axis="y")
    axes.set_ylabel("share of the split's samples")
    axes.set_xlabel("length of the text (words)" if unit == "words" else "duration (s)")
    what = "Words" if unit == "words" else "Durations"
    axes.set_title(f"{what} ({behind} above {high:.3g} in the last bin)" if behind else what)


def _percent(share: float, place: object) -> str:
    """'2.5%', and '5%' beside it."""
    del place
    return f"{round(100 * share, 2):g}%"
