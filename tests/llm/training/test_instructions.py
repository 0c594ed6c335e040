"""The schedule: what is asked of which clip, with which channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from emollama.encoders.base import FeatureTrack
from emollama.inputs.config import ModalityDropout
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.evidence import EvidenceReader
from emollama.llm.options import LoraSection
from emollama.llm.training.config import TasksSection
from emollama.llm.training.instructions import InstructionSchedule
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets
from tests.llm.conftest import STREAMS, evidence
from tests.tiny import tiny_llm


class Tracks:
    def __init__(self, name: str) -> None:
        self.name = name

    def get(self, sample_id: str):
        if self.name == "face" and sample_id.startswith("dark"):
            return None
        return evidence(0).tracks[self.name]


@pytest.fixture
def processor(tmp_path: Path):
    return artefact.build(
        str(tiny_llm(tmp_path / "llm")), "emollama-chat", STREAMS, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )[1]  # fmt: skip


def schedule(processor, samples, dropout: ModalityDropout, tasks: TasksSection | None = None):
    reader = EvidenceReader({s.name: Tracks(s.name) for s in STREAMS}, ClueWords())
    return InstructionSchedule(
        samples, reader, processor, tasks or TasksSection(), dropout, 7, steps=50, batch_size=8
    )  # type: ignore[arg-type]


def sample(sample_id: str, text: str | None) -> Sample:
    return Sample(id=sample_id, text=text, targets=Targets(emotion="sad", reason="It is sad."))


def test_a_question_always_holds_some_evidence(processor) -> None:
    """A clip without subtitle or face keeps a channel that it has, however hard channels drop."""
    samples = [sample("a", None), sample("dark", None), sample("dark-b", "words"), sample("c", "x")]
    made = schedule(processor, samples, ModalityDropout(voice=0.7, face=0.7, words=0.7))
    absent = processor.text_ids('Words: "(not heard)"')
    for encoded in (e for step in range(made.steps) for e in made.step(step)):
        ids = encoded.input_ids
        heard = not any(ids[i : i + len(absent)] == absent for i in range(len(ids)))
        assert any(encoded.present.values()) or heard


def test_processes_and_packing_share_out_the_same_steps(processor) -> None:
    """Every way of dealing a step out holds the same samples, and their shares make up its mean."""
    samples = [sample(f"s{i}", "word " * (i % 7)) for i in range(11)]
    reader = EvidenceReader({s.name: Tracks(s.name) for s in STREAMS}, ClueWords())
    tasks = TasksSection.model_validate({"reason": {"share": 1.0}})

    def steps(world: int, pack_tokens: int) -> list[list[list[int]]]:
        made = InstructionSchedule(
            samples, reader, processor, tasks, ModalityDropout(voice=0.3), 7, steps=4,
            batch_size=8, world=world, micro_batch=2, pack_tokens=pack_tokens,
        )  # type: ignore[arg-type]  # fmt: skip
        found = []
        for step in range(4):
            groups = [made[step * world + rank] for rank in range(world)]
            assert len({len(g) for g in groups}) == 1  # ZeRO's collectives need it
            shares = [x for item in groups for x in made.collate([item])["shares"]]
            assert sum(shares) == pytest.approx(world)
            found.append(sorted(e.input_ids for item in groups for g in item for e in g))
        return found

    whole = steps(1, 0)
    assert len({tuple(map(tuple, s)) for s in whole}) == 4
    for world, pack_tokens in ((2, 0), (4, 0), (1, 300), (2, 300), (4, 300)):
        assert steps(world, pack_tokens) == whole


def test_clues_stand_in_a_reasons_prompt_unless_the_model_was_made_without(processor) -> None:
    said = evidence(0)
    said = type(said)(said.tracks, said.text, {"voice": "high pitch"}, said.channels)
    prompt = processor.tokenizer.decode(processor.encode_prompt(said, "Why?").input_ids)
    assert "Measured: high pitch" in prompt
    processor.clues = "never"
    prompt = processor.tokenizer.decode(processor.encode_prompt(said, "Why?").input_ids)
    assert "Measured" not in prompt and "high pitch" not in prompt


def test_a_layout_without_words_never_shows_them(tmp_path: Path) -> None:
    processor = artefact.build(
        str(tiny_llm(tmp_path / "llm")), "emollama-no-words", [STREAMS[0]],
        get_label_set("mer2023"), LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )[1]  # fmt: skip
    said = evidence(0)
    assert said.text and "words" not in processor.channels(said)
    prompts = [
        processor.encode_prompt(type(said)(said.tracks, text), "Why?").input_ids
        for text in (said.text, None, "other words")
    ]
    assert prompts[0] == prompts[1] == prompts[2]


def test_reasons_are_made_of_measured_clues_where_a_corpus_has_none(processor) -> None:
    """The answer names the clues of its prompt, no others, and ends in the label."""
    columns = ("f0_mean", "energy_mean", "speech_rate", *(f"c{i}" for i in range(9)))
    clips = {name: np.array([row + 9 * [0.0]], np.float32) for name, row in {
        "high": [9.0, 0.0, 0.0], "loud": [0.0, 9.0, 0.0], "both": [9.0, 9.0, -9.0],
        "plain": [0.0, 0.0, 0.0], "low": [-9.0, -9.0, 9.0],
    }.items()}  # fmt: skip

    class Prosody:
        def get(self, sample_id: str) -> FeatureTrack:
            return FeatureTrack(clips[sample_id], np.zeros(1, np.float32))

    clues = ClueWords.fit({"voice": (columns, clips.values())})
    reader = EvidenceReader({"voice": Prosody()}, clues)  # type: ignore[dict-item]
    samples = [Sample(id=i, targets=Targets(emotion="sad")) for i in clips]
    for from_clues in (True, False):
        tasks = TasksSection.model_validate({"reason": {"share": 9, "from_clues": from_clues}})
        made = InstructionSchedule(
            samples, reader, processor, tasks, ModalityDropout(), 7, steps=20, batch_size=8
        )
        said = {
            (s.id, processor.decode([i for i in e.labels if i >= 0]))
            for epoch in range(6)
            for s in samples
            for e in [made.encode(s, epoch)]
        }
        reasons = {(i, text) for i, text in said if text.endswith(".")}
        assert bool(reasons) == from_clues
        for name, text in reasons:
            assert "sad" in text.split(". ")[-1]
            for word in ("high pitch", "low pitch", "a loud sound", "a quiet sound", "fast speech"):
                known = {
                    "high": "high pitch",
                    "loud": "a loud sound",
                    "low": "low pitch, a quiet sound, fast speech",
                    "both": "high pitch, a loud sound",
                }
                assert (word in text) == (word in known.get(name, "")), text
            if name == "plain":
                assert "ordinary" in text or "stands out" in text
