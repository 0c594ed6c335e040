"""A summary over many clips: faithfulness of the explanations, and weight of each modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emollama.explain.case import Case
from emollama.explain.channel_truth import Agreement, Weighed, agreement
from emollama.explain.deletion import Verdict, verdicts
from emollama.explain.gate_noise import GateNoise
from emollama.scoring.metrics.bootstrap import RESAMPLES
from emollama.scoring.metrics.measure import Score, mean_score


@dataclass(frozen=True)
class Summary:
    """A summary of the explanations of several clips.

    Attributes:
        clips: number of clips.
        values: mean Shapley value of each modality for the answered label, in probability; `share`
            is how often it is the highest.
        verdicts: of deletion, one per lane and one for the modalities.
        agreement: with each channel's own emotion, if known.
        gate: the gate's reaction to noise, if requested.
        parts: what the modalities are called, see `Case.parts`.
    """

    clips: int
    values: dict[str, Score]
    share: dict[str, float]
    verdicts: tuple[Verdict, ...]
    agreement: Agreement | None
    gate: tuple[GateNoise, ...] = field(default=())
    parts: str = "modalities"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "clips": self.clips,
            "shapley": {
                n: {"mean": s.value, "ci_low": s.ci_low, "ci_high": s.ci_high,
                    "highest": self.share[n]}
                for n, s in self.values.items()
            },
            "deletion": [v.to_dict() for v in self.verdicts],
            "channel_truth": self.agreement.to_dict() if self.agreement else None,
            "gate_noise": [g.to_dict() for g in self.gate],
        }  # fmt: skip

    def markdown(self, title: str) -> str:
        """The same as a page."""
        lines = [f"# {title}", "", f"{self.clips} clips. Intervals are 95 % bootstrap intervals "
                 "over clips.", "", "## Shapley values of the answered label", "",
                 f"| {'channel' if self.parts == 'channels' else 'modality'} | "
                 "mean, in probability | highest on |", "|---|---|---|"]  # fmt: skip
        lines += [f"| {n} | {s} | {self.share[n]:.1%} |" for n, s in self.values.items()]
        lines += ["", "## Faithfulness", "",
                  f"Area under the answered label's score as steps (or {self.parts}) are hidden, "
                  "most important first, against random orders.", "",
                  "| hidden | explanation | random order | difference | clips |",
                  "|---|---|---|---|---|"]  # fmt: skip
        for v in self.verdicts:
            d = v.difference
            band = f" [{d.ci_low:+.3f}, {d.ci_high:+.3f}]" if d.n > 1 else ""
            lines.append(f"| {v.lane} | {v.explained.value:.3f} | {v.random.value:.3f} | "
                         f"{d.value:+.3f}{band} | {d.n} |")  # fmt: skip
        lines += ["", *(f"- {v.line()}." for v in self.verdicts)]
        if self.agreement:
            lines += ["", "## Against each channel's own emotion", "",
                      _sentence(self.agreement.line())]  # fmt: skip
            lines += ["", "| label shown by one channel alone | clips | highest value on it |",
                      "|---|---|---|"]  # fmt: skip
            lines += [f"| {c} | {n} | {share:.1%} |"
                      for c, (n, share) in self.agreement.by_channel.items()]  # fmt: skip
        if self.gate:
            names = list(self.gate[0].weights[0.0])
            lines += ["", "## The gate under noise", "",
                      f"| noise on | level | {' | '.join(names)} |",
                      "|---|---|" + "---|" * len(names)]  # fmt: skip
            for g in self.gate:
                for level, row in g.weights.items():
                    told = " | ".join(str(row[n]) for n in names)
                    lines.append(f"| {g.modality} | {level:g} | {told} |")
            lines += ["", *(f"- {_sentence(g.line())}" for g in self.gate)]
        return "\n".join(lines) + "\n"


def summarise(
    cases: Sequence[Case],
    gate: Sequence[GateNoise] = (),
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Summary:
    """Summarise explained clips of one model.

    A modality's mean is over the clips that have it.
    """
    areas: dict[str, list[tuple[float, float]]] = {}
    values: dict[str, list[float]] = {}
    highest: dict[str, float] = {}
    for case in cases:
        for lane, pair in case.areas.items():
            areas.setdefault(lane, []).append(pair)
        held = _held(case)
        best = max(held.values(), default=0.0)
        top = [n for n, v in held.items() if v == best]
        for name, value in held.items():
            values.setdefault(name, []).append(value)
            highest[name] = highest.get(name, 0) + (name in top) / len(top)
    return Summary(
        clips=len(cases),
        values={
            n: mean_score(np.array(v), len(cases), resamples=resamples, seed=seed)
            for n, v in values.items()
        },
        share={n: count / len(cases) for n, count in highest.items()},
        verdicts=tuple(verdicts(areas, resamples=resamples, seed=seed)),
        agreement=agreement(
            [Weighed(c.answered.label, _held(c), c.channels, c.truth) for c in cases],
            resamples=resamples,
            seed=seed,
        ),
        gate=tuple(gate),
        parts=cases[0].parts if cases else "modalities",
    )


def _held(case: Case) -> dict[str, float]:
    """Shapley values of a clip's modalities."""
    names = max(case.answered.table, key=len)
    return {n: v for n, v in case.answered.probability.items() if n in names}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
