"""HTML bars of label probabilities and of the channels' shares in the answer."""

from __future__ import annotations

from html import escape

from emollama.session import Answer, Weights

CHANNEL_COLOURS = {"voice": "#0072B2", "face": "#E69F00", "words": "#009E73"}


def answer_bars(answer: Answer) -> str:
    """What to mistrust, the answer as a headline, and a bar a label or a number a value."""
    used = ", ".join(answer.channels) or "nothing"
    parts = [f'<p class="warning" role="note">{escape(line)}</p>' for line in answer.leading]
    parts.append(f'<p class="headline">{escape(headline(answer))}</p><p>from {escape(used)}</p>')
    if answer.scores:
        taken = set(answer.labels or ()) | {answer.label}
        rows = sorted(answer.scores.items(), key=lambda item: -item[1])
        parts.append(
            _bars(
                "Probability of each label",
                [_bar(n, p, f"{100 * p:.1f} %", n in taken) for n, p in rows],
            )
        )
    if answer.label_set is not None:
        parts.append(f"<p class='small'>{escape(answer.set_in_words)}</p>")
    if answer.described_in_words is not None:
        parts.append(f"<p class='small'>{escape(answer.described_in_words)}</p>")
    if answer.values:
        over = " (mean over the clip)" if answer.frames else ""
        rows_of = "".join(
            f"<tr><th scope='row'>{escape(name)}</th><td>{value:+.3f}</td></tr>"
            for name, value in answer.values.items()
        )
        parts.append(f"<table><caption>Values{over}</caption>{rows_of}</table>")
    return "".join(parts)


def headline(answer: Answer) -> str:
    """The answer in a few words."""
    if answer.label is not None:
        return f"{answer.label} ({100 * answer.scores[answer.label]:.0f} %)"
    if answer.labels is not None:
        return ", ".join(answer.labels) or "none of the labels"
    return ", ".join(f"{name} {value:+.2f}" for name, value in (answer.values or {}).items())


def carried(weights: Weights) -> str:
    """The channels' signed shares in the answer, around a middle line."""
    rows = []
    for channel, share in weights.channels.items():
        half = 50 * min(abs(share), 1.0)  # always of 100 points, so that clips can be compared
        left = 50 if share >= 0 else 50 - half
        style = f"left:{left:.1f}%;width:{half:.1f}%;background:{CHANNEL_COLOURS[channel]}"
        rows.append(_row(channel, f'<i style="{style}"></i><b></b>', f"{100 * share:+.1f} points"))
    bars = _bars("Share of each channel in points of probability", rows)
    return (
        f"<p>{escape(weights.sentence)}</p>{bars}"
        f"<p class='small'>Shapley values: with none of the channels the probability of "
        f"{escape(weights.label)} is {100 * weights.empty:.1f} %, with all that are used "
        f"{100 * weights.full:.1f} %; the shares add up to the difference.</p>"
    )


def _bars(what: str, rows: list[str]) -> str:
    return f'<div class="bars" role="list" aria-label="{escape(what)}">{"".join(rows)}</div>'


def _bar(name: str, share: float, told: str, taken: bool) -> str:
    colour = "#0072B2" if taken else "#9a9a9a"
    inner = f'<i style="width:{100 * min(max(share, 0), 1):.1f}%;background:{colour}"></i>'
    return _row(name, inner, told)


def _row(name: str, inner: str, told: str) -> str:
    return (
        f'<div role="listitem" data-name="{escape(name)}"><span class="name">{escape(name)}</span>'
        f'<span class="track" aria-hidden="true">{inner}</span>'
        f'<span class="number">{escape(told)}</span></div>'
    )
