"""What everybody is asked: each clip once as it is, then again with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial

from emollama.arena.configuration import LABELS, Ablation, ArenaConfig
from emollama.inputs.draws import generator
from emollama.manifest.channels import CHANNELS, Channel
from emollama.manifest.sample import Sample

REMOVED: dict[Ablation, Channel] = {"mute": "voice", "blank": "face", "wordless": "words"}
"""The channel that an ablation takes away."""


@dataclass(frozen=True)
class Question:
    """A question about a clip.

    Attributes:
        sample: the clip.
        prompt: name of the wording.
        order: number of the order of the labels.
        ablation: what is taken away; None for nothing.
        labels: in the order in which they are named.
        text: the prompt in full, without what is said in the clip.
    """

    sample: Sample
    prompt: str
    order: int
    ablation: Ablation | None
    labels: tuple[str, ...]
    text: str

    @property
    def words(self) -> str | None:
        """What is said: "" where the words are taken away, None where nobody knows."""
        return "" if self.ablation == "wordless" else self.sample.text

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are shown."""
        gone = None if self.ablation is None else REMOVED[self.ablation]
        return tuple(c for c in CHANNELS if c != gone)

    @property
    def place(self) -> tuple[str, str, int, str]:
        """Clip, prompt, order and ablation: what tells questions of a run apart."""
        return self.sample.id, self.prompt, self.order, self.ablation or ""


def questions(
    config: ArenaConfig, samples: Sequence[Sample], labels: Sequence[str]
) -> Iterator[Question]:
    """All questions, clip by clip, those that show the same one after another."""
    first, *others = config.wordings
    variants: list[tuple[str, int, Ablation | None]] = [(first, 0, None)]
    variants += [(prompt, 0, None) for prompt in others]
    variants += [(first, order, None) for order in range(1, config.orders)]
    # Without words the same file is shown, which need not be read again.
    ablations = sorted(config.ablations, key=lambda ablation: ablation != "wordless")
    variants += [(first, 0, ablation) for ablation in ablations]
    for sample in samples:
        # Twins are asked the same, or the order would be a second thing that differs.
        name = str(sample.truth.get("pair", sample.id))
        orders = orders_of(labels, config.seed, name, config.orders)
        for prompt, order, ablation in variants:
            if ablation is not None and not has(sample, REMOVED[ablation]):
                continue
            text = config.wordings[prompt].replace(LABELS, ", ".join(orders[order]))
            yield Question(sample, prompt, order, ablation, orders[order], text)


def has(sample: Sample, channel: Channel) -> bool:
    """Whether a clip has a channel, as far as its manifest tells."""
    if channel == "words":
        return bool(sample.text and sample.text.strip())
    return not sample.mute if channel == "voice" else sample.video is not None


def orders_of(labels: Sequence[str], seed: int, name: str, count: int) -> list[tuple[str, ...]]:
    """`count` orders of the labels for a clip: no label has a place of its own.

    They differ from each other, as long as there are so many.
    """
    draw = generator(seed, "arena", name)
    found: list[tuple[str, ...]] = []
    while len(found) < count:
        order = tuple(draw.sample(labels, len(labels)))
        if order not in found or len(found) >= factorial(len(labels)):
            found.append(order)
    return found
