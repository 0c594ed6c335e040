"""The reason and the caption that a template writes, each one sentence of measured clues.

Of each channel a reason says what was measured and what that points to, with the time of the peak,
and ends in the label; channels that point elsewhere come last, after "although". A caption says
what was measured and concludes nothing. The wording is drawn by the clip's id from some hundreds,
so that a set does not teach one sentence.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.phrases import sign_phrase, with_article
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table
from emollama.scoring.reasons.sentences import adjective, listed

MOST_WORDS = 30
"""Of a quotation."""
_MOST_SIGNS, _MOST_CLUES = 3, 4


def varied_reason(
    clip: str, emotion: Row, peak: Row, tone: Row, said: str, compared_with: str
) -> str:
    """The reason of a clip.

    Args:
        clip: its id, which draws the wording.
        emotion, peak, tone: rows of these stages.
        said: the transcript.
        compared_with: what the words on the voice are relative to.
    """
    draw, label = random.Random(clip), str(emotion["label"])
    points: Mapping[str, str | None] = emotion["channels"]
    told = {
        "face": _face(emotion, peak, draw),
        "voice": _voice(points["voice"], label, tone, compared_with, draw),
        "words": _words(points["words"], label, said, draw),
    }
    told = {channel: text for channel, text in told.items() if text}
    differ = [c for c in told if points[c] is not None and points[c] != label]
    agree = [c for c in told if c not in differ]
    draw.shuffle(agree)
    draw.shuffle(differ)
    table = read_table("reasons")
    word = {"adjective": adjective(label), "label": label}
    if not agree:
        ending = draw.choice(table["none_agree"]).format(**word)
        return _sentence(f"{_joined([told[c] for c in differ])}, {ending}")
    ending = draw.choice(table["conclusion"]).format(**word)
    although = f", although {_joined([told[c] for c in differ])}" if differ else ""
    if draw.random() < table["conclusion_first"]:
        first = draw.choice(table["opening"]).format(**word)
        return _sentence(f"{first}: {_joined([told[c] for c in agree])}{although}")
    return _sentence(f"{_joined([told[c] for c in agree])}, {ending}{although}")


def varied_caption(
    clip: str, seconds: float, emotion: Row, peak: Row, tone: Row, said: str, compared_with: str
) -> str:
    """The caption of a clip of so many seconds; for the rest see `varied_reason`."""
    draw = random.Random(f"caption of {clip}")
    told = [
        _face(emotion, peak, draw),
        _clues(tone, compared_with, draw) if tone["text"] else "",
        _words(None, "", said, draw),
    ]
    told = [text for text in told if text]
    draw.shuffle(told)
    table, length = read_table("reasons")["caption"], f"{seconds:.1f}"
    if not told:
        return _sentence(str(draw.choice(table["nothing"])).format(seconds=length))
    opening = str(draw.choice(table["opening"])).format(seconds=length)
    return _sentence(opening + _joined(told))


def _face(emotion: Row, peak: Row, draw: random.Random) -> str:
    table, looks = read_table("reasons"), emotion["channels"]["face"]
    if looks is None:
        return ""
    signs = [sign_phrase(s) for s in peak["signs"] if not s.startswith(EXPRESSION_PREFIX)]
    measured = any(s.startswith(EXPRESSION_PREFIX) for s in (*emotion["signs"], *peak["signs"]))
    kind = "expression" if measured else "units" if signs else "still"
    return str(draw.choice(table["face"][kind])).format(
        looks=adjective(looks), time=f"{peak['time']:.1f}",
        signs=listed(signs[:_MOST_SIGNS]) if signs else "",
    )  # fmt: skip


def _voice(
    points: str | None, label: str, tone: Row, compared_with: str, draw: random.Random
) -> str:
    table = read_table("reasons")["voice"]
    if not tone["text"] or points is None:
        return ""
    text = _clues(tone, compared_with, draw)
    return text + draw.choice(table["fits" if points == label else "points"]).format(
        sounds=adjective(points)
    )


def _clues(tone: Row, compared_with: str, draw: random.Random) -> str:
    """What was measured in the voice."""
    words = tone["words"][:_MOST_CLUES]
    wording = read_table("reasons")["voice"]["clues" if words else "ordinary"]
    return str(draw.choice(wording)).format(
        clues=with_article(words) if words else "", compared=compared_with
    )


def _words(points: str | None, label: str, said: str, draw: random.Random) -> str:
    if not said:
        return ""
    table = read_table("reasons")["words"]
    words = said.replace('"', "'").split()
    quote = " ".join(words[:MOST_WORDS]) + (" …" if len(words) > MOST_WORDS else "")
    kind = "said" if points is None else "points"
    return str(draw.choice(table[kind])).format(
        text=quote.rstrip(".,;: "), sounds=adjective(points or label)
    )


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
