"""Copies, near-copies, too many neutral clips: what stays, and why the rest does not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from emollama.merr.select import (
    Candidate,
    left_out,
    minhash,
    resemblance,
    run_select,
    validation_ids,
)
from emollama.merr.settings import SelectSection
from emollama.merr.stagefile import read_rows
from emollama.merr.stages import STAGES
from tests.merr.rows import build, measured, write

WORDS = [f"word{chr(97 + i)}" for i in range(12)]


def clip(
    number: int, label: str = "happy", text: str | None = None, content: str = ""
) -> Candidate:
    words = text or " ".join(f"{w}{number}" for w in WORDS)
    return Candidate(f"c{number:03d}", content or f"h{number}", label, number / 100,
                     minhash(words), True)  # fmt: skip


def test_signatures_estimate_how_alike_texts_are() -> None:
    whole = " ".join(f"w{i}" for i in range(60))
    near = whole.replace("w59", "other")
    assert resemblance(minhash(whole), minhash(whole)) == 1
    assert resemblance(minhash(whole), minhash(near)) > 0.8
    assert resemblance(minhash(whole), minhash(" ".join(f"v{i}" for i in range(60)))) < 0.2


def test_copies_go_and_the_first_stays() -> None:
    text = " ".join(f"w{i}" for i in range(80))
    clips = [clip(1), clip(2, content="h1"), clip(3, text=text), clip(4, text=text + " more")]
    out = left_out(clips, SelectSection(duplicates=0.85))
    assert {i: why for i, (why, _) in out.items()} == {
        "c002": "duplicate file",
        "c004": "near-duplicate text",
    }
    assert out["c004"][1] == "like c003"
    assert set(left_out(clips, SelectSection(duplicates=1.0))) == {"c002"}


def test_neutral_is_sampled_down_to_its_share_and_labels_are_capped() -> None:
    clips = [clip(i, "neutral") for i in range(50)] + [clip(50 + i, "sad") for i in range(20)]
    out = left_out(clips, SelectSection(neutral=0.2))
    kept = [c for c in clips if c.id not in out]
    assert Counter(c.label for c in kept) == {"sad": 20, "neutral": 5}
    assert {c.id for c in kept if c.label == "neutral"} == {f"c{i:03d}" for i in range(45, 50)}
    out = left_out(clips, SelectSection(neutral=1.0, most_of_a_label=8))
    assert Counter(c.label for c in clips if c.id not in out) == {"sad": 8, "neutral": 8}
    assert not left_out(clips, SelectSection(neutral=1.0))
    assert len(left_out(clips, SelectSection(neutral=0.0))) == 50


def test_validation_is_about_every_so_many_and_stable() -> None:
    ids = {f"clip-{i}": None for i in range(1000)}
    chosen = validation_ids(ids, 10)
    assert len(chosen) == 100
    assert chosen == validation_ids(dict(reversed(ids.items())), 10)
    assert not validation_ids(ids, 0)
    assert len(validation_ids(dict.fromkeys(ids, "one"), 10)) == 100


@pytest.mark.parametrize("speakers", [1, 2, 3, 4, 5, 6])
def test_few_speakers_leave_a_validation_part_all_the_same(speakers: int) -> None:
    chosen = validation_ids({f"clip-{i}": f"speaker-{i % speakers}" for i in range(240)}, 10)
    assert 12 <= len(chosen) <= 48
    uneven = {f"clip-{i}": "b" if i == 7 else "a" for i in range(100)}
    assert len(validation_ids(uneven, 10)) == 10


def test_nobody_speaks_on_both_sides_of_the_split() -> None:
    speakers = {f"clip-{i}": f"speaker-{i % 24}" for i in range(240)}
    chosen = validation_ids(speakers, 10)
    assert len(chosen) in (20, 30)
    assert not {speakers[c] for c in chosen} & {s for c, s in speakers.items() if c not in chosen}


def test_a_file_that_a_manifest_names_twice_is_one_clip(tmp_path: Path) -> None:
    made = build(tmp_path, refine={"kind": "template"})
    measured(made, 6)
    for name in ("clips", "units", "voice", "transcript", "words"):
        rows = list(read_rows(made.stages / f"{name}.jsonl"))
        rows[1] = {**rows[0], "id": rows[1]["id"]}
        write(made, name, rows)
    for name in ("norms", "emotion", "peak", "visual", "tone", "caption", "refine"):
        STAGES[name].run(made)
    counts = run_select(made)
    assert counts.examples["duplicate file"] == ["clip-0001: the same as clip-0000"]
