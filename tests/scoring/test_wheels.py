"""Emotion-wheel metrics: by hand on small tables, and the published scorers' own numbers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.metrics.measure import scored
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.wheels.wheel_tables import WheelTables, read_wheel_tables
from emollama.scoring.wheels.wheel_words import Corrected, Published, split_words
from emollama.scoring.wheels.wheels import headline, hit_rate, open_vocabulary

from .wheel_made import write_tables

SHARED = Path(__file__).parents[3] / "shared/data/emotion_wheel"
published_tables = pytest.mark.skipif(
    not (SHARED / "golden" / "golden.json").is_file(),
    reason="the published emotion-wheel tables and their golden numbers are not here",
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> WheelTables:
    return read_wheel_tables(write_tables(tmp_path_factory.mktemp("wheel")), "mer2025")


def row(name: str, gold: list[str], words: list[str]) -> Prediction:
    return Prediction(id=name, reference_words=tuple(gold), words=tuple(words))


def test_published_mapping_and_its_repair(tables: WheelTables) -> None:
    old, new = Published(tables, 1), Corrected(tables, 1)
    # 'fear' is a form of 'fearless', a synonym of brave, which comes before scared.
    assert old.category(" FEAR ", 0) == "joyful" and new.category(" FEAR ", 0) == "scared"
    assert old.category("neutral", 0) is None and new.category("Neutral.", 0) == "neutral"
    assert old.category("happier", 0) == new.category("happier", 0) == "joyful"
    assert old.category("sad.", 0) is None and new.category("sad.", 0) == "sad"
    assert old.category("shock", 0) is None and new.category("shock", 4) == "surprised"
    assert old.category("zorblax", 0) is None and new.category("zorblax", 0) == "(zorblax)"
    assert Published(tables, 2).category("scared", 0) == "afraid"
    assert Published(tables, 2).category("happy", 0) == "glad"


def test_open_vocabulary_by_hand(tables: WheelTables) -> None:
    rows = [
        row("a", ["happy", "sad"], ["glad", "glad", "fear"]),  # P 1, R 1/2 as published
        row("b", ["sad"], []),
        row("c", ["neutral"], ["sad"]),
    ]
    old = Published(tables, 1)
    # a: gold {joyful, sad}, predicted {joyful} (fear is joyful too): P 1, R 1/2. b: 0, 0. c: out.
    p, r = (open_vocabulary(rows, old, x).value() for x in ("precision", "recall"))
    assert (p, r) == (0.5, 0.25)
    measure = open_vocabulary(rows, old, "f")
    assert measure.value() == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert len(measure.rows) == 2 and measure.n_total == 3 and measure.failures == {"no answer": 1}
    new = Corrected(tables, 1)
    # a: predicted {joyful, scared}: P 1/2, R 1/2. b: 0, 0. c: gold {neutral}, 0, 0.
    p, r = (open_vocabulary(rows, new, x).value() for x in ("precision", "recall"))
    assert (p, r) == pytest.approx((1 / 6, 1 / 6))
    assert len(open_vocabulary(rows, new, "f").rows) == 3


def test_nan_of_2025_is_none_and_zero_afterwards(tables: WheelTables, tmp_path: Path) -> None:
    miss = [row("a", ["sad"], ["happy"])]
    measure = open_vocabulary(miss, Published(tables, 1), "f")
    assert measure.value() is None and "NaN" in measure.note
    assert scored(measure, resamples=100).ci_low is None
    assert open_vocabulary(miss, Corrected(tables, 1), "f").value() == 0
    later = read_wheel_tables(write_tables(tmp_path / "w"))
    assert later.rules == "mer2026" and later.version == "own tables"
    assert headline(miss, later).value() == 0 and headline(miss, tables).value() is None
    unplaced = [row("a", ["zorblax"], ["happy"])]
    assert open_vocabulary(unplaced, Published(later, 1), "precision").value() == 0
    assert hit_rate(unplaced, Published(later, 1), "hit_rate").value() is None
    assert hit_rate(unplaced, Corrected(later, 1), "hit_rate").value() == 0


def test_hit_rate_by_hand(tables: WheelTables) -> None:
    rows = [
        row("a", ["fear"], ["happy"]),  # a hit on the published wheels
        row("b", ["sad"], ["sad", "glad", "shocked"]),
        Prediction(id="c", reference="neutral", label="neutral"),
    ]
    old, new = Published(tables, 1), Corrected(tables, 1)
    assert (
        hit_rate(rows, old, "hit_rate").value() == 1
        and len(hit_rate(rows, old, "m_score").rows) == 2
    )
    # b on wheels 1-4: 1 hit of {sad, joyful}; on wheel 5 'surprised' is no gold category.
    assert hit_rate(rows, old, "m_score").value() == pytest.approx((1 + 1 / 2) / 2)
    assert hit_rate(rows, new, "hit_rate").value() == pytest.approx(2 / 3)
    assert hit_rate(rows, new, "m_score").value() == pytest.approx((0 + 1 / 3 + 1) / 3)
    with pytest.raises(EmollamaError, match="hit rate needs one gold word, but there are 2"):
        hit_rate([row("a", ["sad", "happy"], [])], old, "hit_rate")


def test_interval_of_one_kind_of_row_is_a_point(tables: WheelTables) -> None:
    rows = [row(str(i), ["sad"], ["sad"]) for i in range(5)]
    result = scored(open_vocabulary(rows, Corrected(tables, 1), "f"), resamples=100)
    assert (result.value, result.ci_low, result.ci_high) == (1, 1, 1)
    assert [w["n_scored"] for w in result.detail["wheels"]] == [5] * 5  # type: ignore[index, union-attr, attr-defined]


def test_word_forms_that_were_cut_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forms = write_tables(tmp_path) / "format.csv"
    whole = forms.read_text()
    for text, message in (
        (whole[: whole.index("fearless,") + 8], ":4: has 1 cells, the header 2"),
        (whole.replace('fear"', "fear"), ":3: is not a valid CSV row"),
        (whole.replace("name,format", "name,format,format"), ":1: needs the columns"),
    ):
        forms.write_text(text)
        with pytest.raises(EmollamaError, match=message) as error:
            read_wheel_tables(tmp_path)
        assert str(error.value).startswith(str(forms)) and "\n" not in str(error.value)
    # Cut between two lines it cannot be told from a table of somebody's own: that is said.
    forms.write_text("\n".join(whole.splitlines()[:4]) + "\n")
    capsys.readouterr()
    assert read_wheel_tables(tmp_path).version == "own tables"
    said = capsys.readouterr().err
    assert "is not the file published with mer2025 or mer2026" in said
    assert "its 4 word forms" in said


def test_bad_tables_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match=r"holds no format\.csv"):
        read_wheel_tables(tmp_path)
    folder = write_tables(tmp_path / "t")
    (folder / "wheel3.xlsx").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(EmollamaError, match=r"wheel3\.xlsx: is not an \.xlsx workbook"):
        read_wheel_tables(folder)
    with zipfile.ZipFile(folder / "wheel3.xlsx", "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    with pytest.raises(EmollamaError, match="declares a document type"):
        read_wheel_tables(folder)
    write_tables(folder)
    (folder / "format.csv").write_text("word;forms\n")
    with pytest.raises(EmollamaError, match=r"format\.csv:1: needs the columns 'name'"):
        read_wheel_tables(folder)


@published_tables
@pytest.mark.parametrize("year", ["mer2025", "mer2026"])
def test_golden_numbers(year: str) -> None:
    golden = json.loads((SHARED / "golden" / "golden.json").read_text())
    found = read_wheel_tables(SHARED / year)
    assert found.version == found.rules == year
    for kind in ("hit_rate", "open_vocabulary"):
        lines = (SHARED / "golden" / f"{kind}.jsonl").read_text().splitlines()
        _check(kind, [json.loads(x) for x in lines], golden[kind][year], found)
        for case in golden["edge_cases"]:
            if kind in case:
                _check(kind, case["items"], case[kind][year], found)
    for level in (1, 2):
        for word, places in golden["word_categories"][year][f"level{level}"].items():
            assert [Published(found, level).category(word, k) for k in range(5)] == places, word
    for case in golden["string_splitting"]:
        assert list(split_words(case["text"])) == case["words"]
    new = Corrected(found, 1)
    for label in ("fear", "worried", "fearful"):
        assert [new.category(label, k) for k in range(5)] == [
            "scared", "fearful", "scared", "fear", "scared",
        ]  # fmt: skip


def _check(kind: str, items: list[dict], expected: dict, tables: WheelTables) -> None:
    rows = [row(x["id"], x["gold"], x["pred"]) for x in items]
    build = hit_rate if kind == "hit_rate" else open_vocabulary
    parts = ("hit_rate", "m_score") if kind == "hit_rate" else ("precision", "recall", "f")
    for level in (1, 2):
        want = expected[f"level{level}"]
        for part in parts:
            measure = build(rows, Published(tables, level), part)
            _same(measure.value(), want["mean"][part])
            for k, wheel in enumerate(measure.detail["wheels"]):  # type: ignore[arg-type, var-annotated]
                one = want[f"wheel{k + 1}"]
                _same(wheel["value"], one[part])
                assert (wheel["n_scored"], wheel["n_skipped"]) == (
                    one["n_scored"],
                    one["n_skipped"],
                )
    if kind == "open_vocabulary":
        best = expected["published_headline"]
        _same(headline(rows, tables).value(), best["value"] if isinstance(best, dict) else best)


def _same(got: float | None, want: float | str) -> None:
    assert got is None if want == "NaN" else got == pytest.approx(want, abs=1e-12)
