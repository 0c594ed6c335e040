"""MVSA-Single (Niu et al. 2016): tweets with a picture, each annotated once for words and picture.

Words and picture each have a sentiment. The sentiment of the post follows MultiSentiNet's rule (Xu
and Mao 2017), as is usual: the common one, or the one that is not neutral; a post with a positive
and a negative half is left out. A picture is a clip of a single frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from emollama.base.csv_rows import without_c1
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.corpora.collection import Collection, Expected, files_by_stem, require_root
from emollama.corpora.readers.nce_list import flat
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets
from emollama.media.suffixes import PICTURES

LABELS = "labelResultAll.txt"
_WHOLE = "all posts"
EXPECTED: Expected = {_WHOLE: 4511}
"""Posts with a sentiment by the rule."""

_HEADER = "ID\ttext,image"


def prepare_mvsa(root: Path, out: Path, *, strict: bool = False) -> PrepareReport:
    """Write a manifest of MVSA-Single; there is no official split, so samples have none.

    The picture is a sample's `video`. `targets.native` is the sentiment of the
    words and of the picture as the corpus has them; both are in `truth` too.

    Args:
        root: `MVSA_Single`, with `labelResultAll.txt` and `data/<id>.txt`, `data/<id>.jpg`.
        out: the manifest.
        strict: another number of posts than 4,511, or a file that is missing, is an error.

    Raises:
        EmollamaError: no such file, an invalid line, an unknown sentiment, or a duplicate id.
    """
    require_root(root, "MVSA-Single", f"{LABELS}, data/1.txt, data/1.jpg, ...")
    collection = Collection("mvsa", out, get_label_set("mvsa"))
    pictures = files_by_stem(root / "data", PICTURES)
    texts = files_by_stem(root / "data", (".txt",))
    if not pictures and not texts:
        raise EmollamaError(f"{root}: has no data/<id>.txt and data/<id>.jpg")
    mended = 0
    for where, line in _lines(root / LABELS):
        with collection.row(where):
            name, *halves = _cells(line, where)
            words, picture = (collection.labels.require(word, where) for word in halves)
            emotion = joint(words, picture)
            if emotion is None:
                collection.see(name, where)
                why = "the words are positive, the picture negative, or reversed"
                collection.rejected[name] = why
                continue
            collection.count(name, _WHOLE, emotion, where)
            if not collection.usable(name, _WHOLE, texts.get(name), pictures.get(name)):
                continue
            text, other = _words(texts[name])
            mended += other
            collection.samples.append(
                Sample(
                    id=name,
                    video=collection.path(pictures[name]),
                    text=text,
                    targets=Targets(emotion=emotion, native=",".join(halves)),
                    truth={"words": words, "picture": picture},
                )
            )
    if mended:
        collection.notes.append(f"{mended} texts are not UTF-8 and were read as cp1252")
    collection.notes.append("there is no official split; make one with 'emollama split'")
    return collection.finish(EXPECTED, strict)


def joint(words: str, picture: str) -> str | None:
    """The sentiment of a post from those of its halves; None if they contradict each other."""
    if words == picture or picture == "neutral":
        return words
    return picture if words == "neutral" else None


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """("file:line", content) of each line below the header."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip() and "".join(line.split()) != "".join(_HEADER.split()):
            yield f"{path}:{number}", line.strip()


def _cells(line: str, where: str) -> tuple[str, str, str]:
    """Id, sentiment of the words, of the picture."""
    name, tab, rest = line.partition("\t")
    halves = [cell.strip() for cell in rest.split(",")]
    if not tab or len(halves) != 2 or not all(halves):
        raise EmollamaError(f"{where}: must hold id, tab, text,image; holds '{line[:80]}'")
    return name.strip(), halves[0], halves[1]


def _words(path: Path) -> tuple[str | None, bool]:
    """The text of a post on one line, and whether it is in another encoding than UTF-8."""
    raw = path.read_bytes()
    try:
        return flat(raw.decode("utf-8-sig")), False
    except UnicodeDecodeError:
        # The release mixes both; bytes that are not UTF-8 are Windows quotes and accents.
        return flat(without_c1(raw.decode("latin-1"))), True
