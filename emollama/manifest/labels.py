"""Label sets: named, ordered lists of emotion words with synonyms.

A label is a string everywhere. Corpora disagree on integer codes for the same word (MELD's own
order differs from MERTools'), so an integer never leaves a reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emollama.base.errors import EmollamaError, did_you_mean


@dataclass(frozen=True)
class LabelSet:
    """Ordered emotion words; `synonyms` maps further words to one of them."""

    name: str
    labels: tuple[str, ...]
    synonyms: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(isinstance(word, str) and word.strip() == word != "" for word in self.labels):
            raise EmollamaError(f"label set '{self.name}': labels must be words")
        if len({w.lower() for w in self.labels}) != len(self.labels) or not self.labels:
            raise EmollamaError(
                f"label set '{self.name}': labels must be distinct, and there must be at least one"
            )
        for word, label in self.synonyms.items():
            if label not in self.labels:
                raise EmollamaError(
                    f"label set '{self.name}': synonym '{word}' maps to the unknown label '{label}'"
                )

    def canonical(self, word: str) -> str | None:
        """The label that `word` means, or None; case and surrounding space are ignored."""
        key = word.strip().lower()
        spelled = {label.lower(): label for label in self.labels}
        if key in spelled:
            return spelled[key]
        return {w.lower(): label for w, label in self.synonyms.items()}.get(key)

    def require(self, word: str, where: str) -> str:
        """`canonical(word)`, or an `EmollamaError` that begins with `where`."""
        label = self.canonical(word)
        if label is None:
            raise EmollamaError(f"{where}: {self.unknown(word)}")
        return label

    def unknown(self, word: str) -> str:
        """What is wrong with a word that is no label: the nearest word, else the labels."""
        near = did_you_mean(word, (*self.labels, *self.synonyms))
        hint = near if near.endswith("?") else did_you_mean(word, self.labels)
        return f"'{word[:80]}' is not in label set '{self.name}'{hint}"

    def to_dict(self) -> dict[str, object]:
        """What an artefact stores: enough to rebuild the set without this table."""
        return {"name": self.name, "labels": list(self.labels), "synonyms": dict(self.synonyms)}


_COMMON = {
    "happy": ("happiness", "joy", "joyful", "cheerful", "glad", "pleased", "delighted"),
    "sad": ("sadness", "sorrowful", "unhappy", "feeling down", "grief"),
    "angry": ("anger", "mad", "furious", "irritated", "annoyed"),
    "surprise": ("surprised", "astonished", "amazed", "startled"),
    "surprised": ("surprise", "astonished", "amazed", "startled"),
    "worried": ("worry", "anxious", "nervous", "concerned", "uneasy"),
    "neutral": ("indifferent", "unemotional"),
    "calm": ("calmness", "relaxed", "serene"),
    "fear": ("fearful", "afraid", "scared", "frightened"),
    "fearful": ("fear", "afraid", "scared", "frightened"),
    "disgust": ("disgusted", "revolted"),
    "boredom": ("bored",),
    "contempt": ("contemptuous", "scornful"),
    "doubt": ("doubtful", "sceptical", "skeptical"),
}


def label_set(name: str, *labels: str) -> LabelSet:
    """A set of `labels` with their everyday synonyms, without synonyms that clash."""
    synonyms = {w: label for label in labels for w in _COMMON.get(label, ()) if w not in labels}
    return LabelSet(name, labels, synonyms)


LABEL_SETS: dict[str, LabelSet] = {
    s.name: s
    for s in (
        label_set("mer2023", "neutral", "angry", "happy", "sad", "worried", "surprise"),
        label_set(
            "merr", "neutral", "angry", "happy", "sad", "worried", "surprise",
            "fear", "contempt", "doubt",
        ),
        label_set(
            "ravdess", "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust",
            "surprised",
        ),
        label_set("meld", "neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
        label_set(
            "emorynlp", "neutral", "joyful", "peaceful", "powerful", "scared", "mad", "sad"
        ),
        label_set("iemocap4", "neutral", "happy", "sad", "angry"),
        label_set("iemocap6", "neutral", "happy", "sad", "angry", "excited", "frustrated"),
        label_set("msp-improv", "angry", "happy", "sad", "neutral"),
        label_set("crema-d", "angry", "disgust", "fearful", "happy", "neutral", "sad"),
        label_set(
            "dfew", "happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"
        ),
        label_set(
            "mafw", "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise",
            "contempt", "anxiety", "helplessness", "disappointment",
        ),
        label_set("ferv39k", "happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        label_set("ch-sims", "negative", "neutral", "positive"),
        label_set("mvsa", "positive", "neutral", "negative"),
        label_set("ur-funny", "funny", "not funny"),
        label_set("emodb", "neutral", "angry", "happy", "sad", "fear", "disgust", "boredom"),
        label_set("javased", "neutral", "sad", "happy", "surprise", "fear", "angry"),
        # What corpora of acted and of real emotion have in common.
        label_set("people", "neutral", "happy", "sad", "angry", "fear", "surprise", "disgust"),
        # The order of the data's own columns.
        label_set("mosei", "happy", "sad", "anger", "surprise", "disgust", "fear"),
    )
}  # fmt: skip


def get_label_set(name: str) -> LabelSet:
    """The label set called `name`; an unknown name is an `EmollamaError`."""
    if name not in LABEL_SETS:
        raise EmollamaError(f"label set '{name}' is unknown{did_you_mean(name, LABEL_SETS)}")
    return LABEL_SETS[name]
