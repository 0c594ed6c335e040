"""Whatever a table of clips says, in whatever form a spreadsheet saves it, is what is read."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emollama.base.errors import EmollamaError
from emollama.base.files import parse_row, read_lines
from emollama.corpora.csv_table import prepare_csv
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import read_manifest
from tests.corpora.trees import plant, samples_of

LABELS = get_label_set("mer2023")
SAME_FOLDER = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\ufeff"),
    max_size=30,
)
ROWS = st.lists(
    st.tuples(WORDS, st.sampled_from(LABELS.labels), WORDS), min_size=1, max_size=6
)  # fmt: skip


@SAME_FOLDER
@given(
    rows=ROWS,
    order=st.permutations(["path", "text", "label", "speaker"]),
    delimiter=st.sampled_from(",;\t"),
    ends=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_a_table_means_the_same_in_every_form(
    tmp_path: Path, rows: list[tuple[str, str, str]], order: list[str], delimiter: str, ends: str,
    mark: str, quoting: int,
) -> None:  # fmt: skip
    plant(tmp_path, [f"clip {i}.wav" for i in range(len(rows))])
    written = io.StringIO()
    table = csv.writer(written, delimiter=delimiter, lineterminator=ends, quoting=quoting)  # type: ignore[arg-type]
    table.writerow(order)
    for i, (text, label, speaker) in enumerate(rows):
        cells = {"path": f"clip {i}.wav", "text": text, "label": label, "speaker": speaker}
        table.writerow([cells[name] for name in order])
    (tmp_path / "t.csv").write_bytes((mark + written.getvalue()).encode())
    # Without splits: too few speakers to keep apart would lose their groups.
    prepare_csv(tmp_path / "t.csv", tmp_path / "m.jsonl", labels=LABELS, split="none")
    samples = samples_of(tmp_path / "m.jsonl")
    assert list(samples) == [f"clip {i}" for i in range(len(rows))]
    for sample, (text, label, speaker) in zip(samples.values(), rows, strict=True):
        assert sample.text == (text.strip() or None) and sample.targets.emotion == label
        assert sample.speaker == sample.group == (speaker.strip() or None)


@SAME_FOLDER
@given(content=st.binary(max_size=200))
def test_whatever_bytes_a_table_holds(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.jsonl").unlink(missing_ok=True)
    (tmp_path / "t.csv").write_bytes(content)
    try:
        prepare_csv(tmp_path / "t.csv", tmp_path / "m.jsonl", labels=LABELS)
    except EmollamaError as error:
        assert "t.csv" in str(error) and "\n" not in str(error)
        assert not (tmp_path / "m.jsonl").exists()
    else:
        assert read_manifest(tmp_path / "m.jsonl").samples


@SAME_FOLDER
@given(content=st.binary(max_size=200))
def test_whatever_bytes_json_lines_hold(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    try:
        rows = [parse_row(path, number, line) for number, line in read_lines(path)]
    except EmollamaError as error:
        assert "rows.jsonl" in str(error) and "\n" not in str(error)
    else:
        assert all(isinstance(row, dict) for row in rows)
