"""Words of a table as labels: the set that is asked for, and what else means one of its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from emollama.base.encodings import read_encoded
from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.files import read_json
from emollama.corpora.tables.cells import is_number, listed
from emollama.corpora.tables.languages import ENGLISH
from emollama.manifest.labels import LABEL_SETS, LabelSet, get_label_set, label_set

AUTO = "auto"
_MOST = 50  # different words beyond which a column holds no labels


def read_labels(given: str) -> LabelSet | None:
    """The label set of `--labels`; None for `auto`, the words of the table.

    Args:
        given: the name of a set, `auto`, labels separated by commas, or a file: one label a line
            with its synonyms after a colon ("happy: joy, 高兴"), or the `labels` of a manifest's
            header as .json.

    Raises:
        EmollamaError: it is none of these, or labels are not distinct.
    """
    if given == AUTO:
        return None
    if given in LABEL_SETS:
        return get_label_set(given)
    path = Path(given)
    if path.is_file():
        return _json_file(path) if path.suffix.lower() == ".json" else _text_file(path)
    if "," in given:
        return label_set("own", *(w.strip() for w in given.split(",") if w.strip()))
    raise EmollamaError(
        f"--labels {given}: is no label set, no file and no list as happy,sad,angry"
        f"{did_you_mean(given, [*LABEL_SETS, AUTO])}"
    )


def _json_file(path: Path) -> LabelSet:
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("labels"), list):
        raise EmollamaError(f'{path}: must be {{"labels": [...], "synonyms": {{...}}}}')
    synonyms = found.get("synonyms") or {}
    if not isinstance(synonyms, dict):
        raise EmollamaError(f"{path}: 'synonyms' must map words to labels")
    return LabelSet(str(found.get("name", path.stem)), tuple(found["labels"]), synonyms)


def _text_file(path: Path) -> LabelSet:
    labels: list[str] = []
    synonyms: dict[str, str] = {}
    for line in read_encoded(path)[0].splitlines():
        label, _, others = line.partition("#")[0].partition(":")
        if label.strip():
            labels.append(label.strip())
            synonyms |= dict.fromkeys(listed(others), label.strip())
    everyday = label_set(path.stem, *labels)
    return LabelSet(path.stem, everyday.labels, {**everyday.synonyms, **synonyms})


def read_map(items: list[str]) -> dict[str, str]:
    """{word: label} from `--map WORD=LABEL`; an empty label means none.

    Raises:
        EmollamaError: an item has no "=".
    """
    found: dict[str, str] = {}
    for item in items:
        word, separator, label = item.rpartition("=")
        if not separator or not word.strip():
            raise EmollamaError(f"--map {item}: write WORD=LABEL, e.g. --map 0=neutral")
        found[word.strip()] = label.strip()
    return found


class Wording:
    """What the words of a table mean as labels.

    A word is replaced by `mapping` first; else it is a label or a synonym of the set, else a word
    of another language whose English word is. Case does not matter.

    Args:
        labels: the label set; None until `settle` has made one of the words.
        mapping: {word: label or ""}.
        source: of the words, for messages.

    Attributes:
        foreign: {word: label} of words of other languages that occurred.
    """

    def __init__(self, labels: LabelSet | None, mapping: Mapping[str, str], source: Path) -> None:
        self.labels = labels
        self.source = source
        self.foreign: dict[str, str] = {}
        self._mapping = {word.casefold(): label for word, label in mapping.items()}
        self._known: dict[str, str | None] = {}
        self._meanings: dict[str, str | None] = {}
        self._parts: dict[str, list[str]] = {}
        for word, label in mapping.items():
            if labels is not None and label:
                labels.require(label, f"--map {word}={label}")

    def settle(self, words: list[str], where: str) -> LabelSet:
        """The label set; where there is none yet, that of `words`, in alphabetical order.

        Raises:
            EmollamaError: words are numbers, too many to be labels, or none.
        """
        if self.labels is None:
            spelled: dict[str, str] = {}
            for word in words:
                for part in self.parts(word):
                    label = self._mapped(part)
                    label = part if label is None else label
                    if label:
                        spelled.setdefault(label.casefold(), label)
            found = sorted(spelled.values(), key=str.casefold)
            number = next((word for word in found if is_number(word)), None)
            if number is not None:
                raise EmollamaError(
                    f"{where}: '{number}' is a number; labels are words: say what it means with "
                    f"--map {number}=WORD"
                )
            if len(found) > _MOST:
                raise EmollamaError(
                    f"{where}: {len(found)} different words, e.g. '{found[0][:40]}', are no "
                    "labels; name the right column with --column label=COLUMN"
                )
            if not found:
                raise EmollamaError(
                    f"{where}: --labels {AUTO} needs labels in the table, and there are none"
                )
            self.labels = label_set(self.source.stem, *found)
            for memory in (self._known, self._meanings, self._parts):
                memory.clear()
        return self.labels

    def label(self, word: str, where: str) -> str | None:
        """The label of a word; None where the mapping says that it means none.

        Raises:
            EmollamaError: the word is not known; it begins with `where` and says what to do.
        """
        if word in self._known:
            return self._known[word]
        label: str | None = self._mapped(word)
        if label is None:
            label = self.meaning(word)
            if label is None:
                assert self.labels is not None, "settled"
                raise EmollamaError(
                    f"{where}: {self.labels.unknown(word)} (say what it means with --map "
                    f"'{word[:80]}=LABEL', or choose other --labels)"
                )
        self._known[word] = label or None
        return label or None

    def meaning(self, word: str) -> str | None:
        """The label that a word means without the mapping, or None."""
        if word not in self._meanings:
            self._meanings[word] = self._meaning(word)
        return self._meanings[word]

    def _meaning(self, word: str) -> str | None:
        if self.labels is None:
            return _known_word(word)
        label = self.labels.canonical(word)
        if label is None and (english := ENGLISH.get(word.strip().casefold())):
            label = self.labels.canonical(english)
            if label is not None:
                self.foreign[word] = label
        return label

    def parts(self, cell: str) -> list[str]:
        """The words of a cell: one where the cell as a whole is known, else as listed."""
        if cell not in self._parts:
            whole = self._mapped(cell) is not None or self.meaning(cell) is not None
            self._parts[cell] = [cell] if whole else listed(cell)
        return self._parts[cell]

    def _mapped(self, word: str) -> str | None:
        found = self._mapping.get(word.casefold())
        if found is None and re.fullmatch(r"-?\d+[.,]0+", word):
            found = self._mapping.get(re.split("[.,]", word)[0])  # 3.0 of a table with blanks
        return found


def _known_word(word: str) -> str | None:
    """A label of any set that a word means; "neutral" for "Neutral" or "中性"."""
    key = word.strip().casefold()
    for known in LABEL_SETS.values():
        label = known.canonical(ENGLISH.get(key, key))
        if label is not None:
            return label
    return None
