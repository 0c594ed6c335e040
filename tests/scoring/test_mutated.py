"""Result files broken at random: read, or refused in one line that names the file; never else."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.context import Context
from emollama.scoring.metrics.synonyms import read_groups
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, read_predictions, write_predictions
from emollama.scoring.readers.public import read_public
from emollama.scoring.report.scoring import score_page, score_predictions, write_scores

from .made import MER2023, random_predictions

PIECES = [
    b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x80", b'"', b"{", b"}", b"[", b"]",
    b",", b":", b"NaN", b"1e999", b"-1", b"null", b"\\ud800", b"\\u0000", b"\xe2\x80\xa8",
    b"9" * 400,    b'"id"', b"[[[[[[[[", b";", b"\t", b" ",
]  # fmt: skip


def mutated(data: bytes, draw: random.Random) -> bytes:
    """The bytes with a few of them cut, put in, doubled or moved."""
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.choice([1, 1, 3, 20, 200]))
        kind = draw.randrange(5)
        if kind == 0:
            data = data[:at] + data[end:]
        elif kind == 1:
            data = data[:at] + draw.choice(PIECES) + data[at:]
        elif kind == 2:
            data = data[:at] + draw.choice(PIECES) + data[end:]
        elif kind == 3:
            data = data[:at]
        else:
            lines = data.split(b"\n")
            draw.shuffle(lines)
            data = b"\n".join([*lines, draw.choice(lines)])
    return data


def broken(path: Path, data: bytes, read: Callable[[Path], object], rounds: int) -> tuple[int, int]:
    """How many of the mutated files were read, and how many refused in one line."""
    draw = random.Random(0)
    taken = refused = 0
    for _ in range(rounds):
        path.write_bytes(mutated(data, draw))
        try:
            read(path)
            taken += 1
        except EmollamaError as error:
            assert str(error).startswith(str(path)), str(error)
            assert "\n" not in str(error).strip(), str(error)
            refused += 1
    return taken, refused


def predictions(path: Path) -> None:
    found = read_predictions(path)
    rows = [r for r in found.rows if r.channels == found.channel_sets(found.systems()[0])[-1]]
    result = score_predictions(found, Context(found.header.labels), resamples=100)
    assert result["results"][0]["n_total"] <= len(rows)
    write_scores(path.parent / "scores", result)
    assert score_page(result)


def test_predictions(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [
        *random_predictions(3),
        Prediction(
            id="x", reference="sad", label="sad", values={"arousal": (0.5, 1.0)}, words=("low",),
            reference_values={"arousal": (0.5, 0.0)}, labels=("sad",), reference_labels=("sad",),
            label_scores=dict.fromkeys(MER2023.labels, 0.5), latency_ms=3.0,
        ),
    ]  # fmt: skip
    write_predictions(path, Header(labels=MER2023, corpus="made"), rows)
    taken, refused = broken(path, path.read_bytes(), predictions, 800)
    assert taken > 10 and refused > 200


@pytest.mark.parametrize(
    "text",
    [
        "name,discrete,valence\na,sad,-1\nb,happy,2\n\"c, d\",not sad,-10\n",
        "names,chi_reasons\na,\"He smiles,\nso.\"\nb,\n",
        "name,openset\na,\"['sad', 'low']\"\nb,[]\n",
    ],
)  # fmt: skip
def test_csv(tmp_path: Path, text: str) -> None:
    def read(path: Path) -> None:
        found = read_public(path, "emotion-llama", MER2023)
        assert len({r.id for r in found.rows}) == len(found.rows)

    taken, refused = broken(tmp_path / "r.csv", text.encode(), read, 500)
    assert taken > 20 and refused > 20


def test_npz(tmp_path: Path) -> None:
    held = {"names": np.array(["a", "b"], dtype=object), "emo_probs": np.eye(6)[:2],
            "val_preds": np.array([0.5, 1])}  # fmt: skip
    buffer = io.BytesIO()
    np.savez(buffer, **held)  # type: ignore[arg-type]
    refused = broken(
        tmp_path / "m.npz", buffer.getvalue(), lambda p: read_public(p, "mertools", MER2023), 600
    )[1]
    assert refused > 100
    np.savez(buffer := io.BytesIO(), name2reason=np.array({"a": "He smiles."}, dtype=object))
    data = buffer.getvalue()
    broken(tmp_path / "n.npz", data, lambda p: read_public(p, "mertools", MER2023), 600)


def test_groups(tmp_path: Path) -> None:
    data = json.dumps({"a": [["sad", "low"], ["glad"]]}).encode()
    assert broken(tmp_path / "g.json", data, read_groups, 400)[1] > 100


def lines(*rows: dict[str, object]) -> str:
    header = {"predictions": Header(labels=MER2023).model_dump(mode="json")}
    return "".join(json.dumps(r) + "\n" for r in (header, *rows))


ROW = {"id": "a", "reference": "sad", "label": "sad"}


def test_how_a_file_was_saved_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    plain = lines(ROW, {**ROW, "id": "bü"})
    path.write_text(plain)
    expected = read_predictions(path).rows
    turned = "".join(
        json.dumps(dict(reversed(json.loads(x).items()))) + "\n" for x in plain.splitlines()
    )
    for data in (
        plain.encode("utf-8-sig"), plain.replace("\n", "\r\n").encode(), turned.encode(),
        plain.replace("\n", "\n\n").encode(), plain.rstrip("\n").encode(),
    ):  # fmt: skip
        path.write_bytes(data)
        assert read_predictions(path).rows == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lines(ROW, ROW).encode(), r":3: id 'a' .* is already at .*:2"),
        (lines(ROW).encode() + b'{"id": "b", "refer', ":3: is not JSON"),
        (lines(ROW).encode() + b'{"id": "b\xfc"}\n', ":3: is not UTF-8 text"),
        (lines(ROW).encode("utf-16"), ":1: is not UTF-8 text"),
        (lines(ROW).encode() + b"[1]\n", ":3: is not a JSON object"),
        (lines({**ROW, "id": "a\ud800"}).encode(), ":2: 'id': .* unicode"),
        (lines({**ROW, "id": 7}).encode(), ":2: 'id'"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(data)
    with pytest.raises(EmollamaError, match=message) as error:
        read_predictions(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
