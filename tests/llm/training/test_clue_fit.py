"""Clue heads: the clues that a clip shows, by regressions on the means of its tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.base.paths import CLUE_HEADS_FILE
from emollama.encoders.base import FeatureTrack
from emollama.inputs.enrolment import Known, enrolment, fit_people
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import StreamConfig
from emollama.llm.evidence import EvidenceReader
from emollama.llm.heads.clue_heads import ClueHeads, read_heads, write_heads
from emollama.llm.heads.head import Head, draws_of
from emollama.llm.interop.export import export
from emollama.llm.options import LoraSection
from emollama.llm.training import clue_fit
from emollama.llm.training.clue_fit import fit_clue_heads, known_words
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.channels import CHANNELS
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets
from emollama.probe.vocabulary import PHRASES
from tests.llm.training.corpus import WIDTHS
from tests.llm.training.methods.corpus import make_twins
from tests.tiny import tiny_llm

UNITS = ("AU4", "AU12", "AU26")
WIDTH = 9
STREAMS = [StreamConfig("face", "face", "f", width=WIDTH)]


class Faces:
    """Tracks that show three units in noise."""

    width = WIDTH

    def __init__(self, shown: dict[str, np.ndarray]) -> None:
        draw = np.random.default_rng(1)
        mixed = draw.normal(size=(len(UNITS), WIDTH))
        self.tracks = {
            name: (units @ mixed + 0.3 * draw.normal(size=WIDTH)).astype(np.float32)[None]
            for name, units in shown.items()
        }

    def get(self, sample_id: str) -> FeatureTrack:
        return FeatureTrack(self.tracks[sample_id], np.zeros(1, np.float32))


def corpus(known: bool = True) -> tuple[list[Sample], dict[str, Faces], dict[str, np.ndarray]]:
    """60 clips of 6 faces; their tracks, and the units that each shows."""
    draw = np.random.default_rng(0)
    shown = {f"c{i}": draw.integers(2, size=3).astype(float) for i in range(60)}
    samples = []
    for i, (name, units) in enumerate(shown.items()):
        seen = [PHRASES[u] for u, there in zip(UNITS, units, strict=True) if there]
        reason = f"The face shows {' and '.join(seen) or 'little'}." if known else "It is so."
        samples.append(Sample(id=name, group=f"f{i % 6}",
                              targets=Targets(emotion="sad", reason=reason)))  # fmt: skip
    return samples, {"face": Faces(shown)}, shown


def words(units: np.ndarray) -> set[str]:
    phrases = [PHRASES[u].removeprefix("a ") for u in UNITS]
    return {p for p, there in zip(phrases, units, strict=True) if there}


def test_a_clip_of_somebody_else_is_described_by_what_it_shows() -> None:
    samples, readers, shown = corpus()
    heads = fit_clue_heads(STREAMS, readers, samples[:40], 0.5)
    clues = ClueWords(heads=heads)
    right = [
        set(clues.describe({"face": readers["face"].get(s.id)}).get("face", "").split(", ")) - {""}
        == words(shown[s.id])
        for s in samples[40:]
    ]
    assert np.mean(right) > 0.7  # by chance 1 in 8
    assert clues.describe({"face": None}) == {}


def test_strength_is_chosen_on_people_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The regression of the chosen strength is fitted on all clips with a known clue."""
    samples, readers, shown = corpus()
    known = [s for s in samples if shown[s.id].any()]  # "little" names none
    x = np.stack([readers["face"].get(s.id).values[0] for s in known])
    y = np.stack([shown[s.id] for s in known])
    x = (x - x.mean(0)) / x.std(0)
    groups = [s.group for s in known]
    losses = [
        sum(
            -cross_val_score(LogisticRegression(C=c), x, y[:, k], groups=groups, cv=GroupKFold(5),
                             scoring="neg_log_loss").mean()
            for k in range(3)
        )
        for c in (0.001, 0.1)
    ]  # fmt: skip
    best = (0.001, 0.1)[int(np.argmin(losses))]
    monkeypatch.setattr(clue_fit, "STRENGTHS", (0.001, 0.1))
    heads = fit_clue_heads(STREAMS, readers, samples, 0.5).heads["face"]
    wanted = [LogisticRegression(C=best, max_iter=1000).fit(x, y[:, k]).coef_[0] for k in range(3)]
    np.testing.assert_allclose(heads.coefficients, wanted, atol=1e-3)


def test_prompts_of_training_clips_hold_what_is_known() -> None:
    """What was rendered, units from the strongest on; else what the reference reason names."""
    truth = {"face_units": {"AU4": 0.5, "AU12": 0.9, "AU6": 0.1}, "words": "angry",
             "prosody": {"pitch": "low", "rate": "normal"}}  # fmt: skip
    rendered = Sample(id="a", truth=truth, targets=Targets(reason="A lively melody."))
    assert known_words(rendered, CHANNELS) == {
        "face": "lip corners pulled up, brows drawn together", "voice": "low pitch",
        "words": "an accusation",
    }  # fmt: skip
    assert known_words(rendered, ("voice",)) == {"voice": "low pitch"}
    reason = "There is no dropped jaw. One hears a lively melody."
    named = known_words(Sample(id="b", targets=Targets(reason=reason)), ("voice", "face"))
    assert named == {"face": "", "voice": "lively melody"}
    unknown = Sample(id="c", targets=Targets(reason="It is so."))
    assert known_words(unknown, CHANNELS) == {}


def test_what_is_known_of_a_training_clip_replaces_what_its_heads_find() -> None:
    samples, readers, shown = corpus()
    clues = ClueWords(heads=fit_clue_heads(STREAMS, readers, samples, 0.5))
    clip = next(s for s in samples if shown[s.id].all())
    found = EvidenceReader(readers, clues).read(clip).clues
    assert set(found["face"].split(", ")) == words(shown[clip.id])
    for known in ("wide open eyes", ""):
        reader = EvidenceReader(readers, clues, given={clip.id: {"face": known}})
        assert reader.read(clip).clues["face"] == known


def test_the_stored_and_the_exported_model_name_the_same(tmp_path: Path) -> None:
    samples, readers, _ = corpus()
    heads = fit_clue_heads(STREAMS, readers, samples, 0.4)
    model, processor = artefact.build(
        str(tiny_llm(tmp_path / "llm")), "emollama-chat", STREAMS, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )  # fmt: skip
    artefact.save(model, processor, ClueWords(heads=heads), tmp_path / "model", {}, "")
    export(tmp_path / "model", tmp_path / "merged")
    tracks = [{"face": readers["face"].get(s.id)} for s in samples]
    expected = [ClueWords(heads=heads).describe(t) for t in tracks]
    assert any(expected)
    for folder in ("model", "merged"):
        loaded = artefact.load(tmp_path / folder, torch.float32)
        assert [loaded.clues.describe(t) for t in tracks] == expected


def test_heads_of_every_channel_are_read_back(tmp_path: Path) -> None:
    """What is said about a head must not take the place of the channel named words."""
    streams = [StreamConfig(f"{c}_track", c, "s", width=2) for c in ("voice", "face", "words")]
    draw = np.random.default_rng(0)
    heads = {
        s.channel: Head({s.name: 2}, *(draw.uniform(size=n).astype(np.float32)
                                       for n in (2, 2, (k + 1, 2), k + 1)))
        for k, s in enumerate(streams)
    }  # fmt: skip
    clues = {s.channel: tuple(f"{s.channel} {i}" for i in range(k + 1))
             for k, s in enumerate(streams)}  # fmt: skip
    write_heads(ClueHeads(0.4, heads, clues), tmp_path)
    found = read_heads(tmp_path, streams)
    assert found is not None and found.threshold == 0.4 and found.words == clues
    for channel, head in heads.items():
        np.testing.assert_array_equal(found.heads[channel].coefficients, head.coefficients)


def test_another_models_heads_are_refused(tmp_path: Path) -> None:
    samples, readers, _ = corpus()
    assert read_heads(tmp_path, STREAMS) is None
    write_heads(fit_clue_heads(STREAMS, readers, samples, 0.5), tmp_path)
    with pytest.raises(EmollamaError, match=f"{CLUE_HEADS_FILE}: the face head reads face=9"):
        read_heads(tmp_path, [StreamConfig("face", "face", "f", width=8)])
    (tmp_path / CLUE_HEADS_FILE).write_bytes(b"no")
    with pytest.raises(EmollamaError, match="is not a file of heads"):
        read_heads(tmp_path, STREAMS)


def test_clues_that_nobody_knows_are_one_line() -> None:
    samples, readers, _ = corpus(known=False)
    for streams in (STREAMS, []):
        with pytest.raises(EmollamaError, match=r"^model\.clue_heads needs .*truth name too few$"):
            fit_clue_heads(streams, readers, samples, 0.5)


def test_clips_that_are_seen_again_are_no_new_ones() -> None:
    samples, readers, _ = corpus()
    once, again = (fit_clue_heads(STREAMS, readers, samples, 0.5, [None] * n) for n in (1, 4))
    expected = once.heads["face"].coefficients
    assert np.abs(again.heads["face"].coefficients - expected).max() < 1e-3


def test_of_a_person_known_by_other_clips_the_heads_name_more_of_what_is_there() -> None:
    samples, readers, shown = corpus()
    draw = np.random.default_rng(3)
    usual = {group: 4 * draw.normal(size=WIDTH) for group in sorted({s.group for s in samples})}
    for sample in samples:
        readers["face"].tracks[sample.id] += usual[sample.group].astype(np.float32)
    streams = [StreamConfig("face", "face", "f", width=WIDTH, standardise="person")]
    fit = [s for s in samples if s.group not in ("f4", "f5")]
    rest = [s for s in samples if s not in fit]
    people = fit_people(streams, readers, fit, ("sad",))
    assert people is not None
    heads = fit_clue_heads(streams, readers, fit, 0.5, draws_of(people, 7))

    def right(known: Known | None) -> float:
        reader = EvidenceReader(readers, ClueWords(heads=heads), known=known)
        found = [set(reader.read(s).clues.get("face", "").split(", ")) - {""} for s in rest]
        return float(np.mean([f == words(shown[s.id]) for s, f in zip(rest, found, strict=True)]))

    assert right(enrolment(people.prior, readers, rest).transductive) >= 0.8
    assert right(None) < 0.5


def test_a_channel_of_which_too_little_is_known_keeps_its_rules() -> None:
    samples, readers, _ = corpus()
    both = [*STREAMS, StreamConfig("voice", "voice", "v", width=WIDTH)]
    heads = fit_clue_heads(both, {**readers, "voice": readers["face"]}, samples, 0.5)
    assert set(heads.heads) == set(heads.words) == {"face"}


def test_a_trained_model_names_clues_and_learns_no_label_from_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_twins(tmp_path, clips=48)
    given = ["model.clue_heads=0.5", "training.max_steps=1"]
    config = load_config(TrainConfig, path, given)
    found = artefact.load(train(config), torch.float32)
    heads = found.clues.heads
    assert heads is not None and set(heads.words["voice"]) == {"low pitch", "high pitch"}
    high = FeatureTrack(np.full((3, WIDTHS["voice"]), 2, np.float32), np.zeros(3, np.float32))
    assert found.clues.describe({"voice": high, "face": None}) == {"voice": "high pitch"}
    said = capsys.readouterr().err
    assert "clue heads: 2 clues of the voice, 3 clues of the face, named above 0.5\n" in said
    with pytest.raises(EmollamaError, match=r"model\.clue_heads needs tasks\.clues: reasons"):
        load_config(TrainConfig, path, [*given, "tasks.clues=always"])
