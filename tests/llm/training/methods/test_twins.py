"""Twins in the schedule: both clips of a pair in one step, asked the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch

from emollama.base.config import load_config
from emollama.inputs.config import DataSection
from emollama.inputs.draws import Balance
from emollama.inputs.mixture import read_corpora
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.evidence import EvidenceReader, open_streams
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.methods.choice import schedule_of
from emollama.llm.training.methods.reasons import PreferenceSchedule, QuestionSchedule
from emollama.manifest.sample import read_manifest
from emollama.manifest.twins import in_twos, pair_name, twins_of
from tests.llm.training.methods.corpus import ELSEWHERE, REASONS_ALONE, make_twins


def made(folder: Path, *options: str, balance: Balance | None = None):
    path = make_twins(folder, 27)
    config = load_config(TrainConfig, path, ["training.batch_size=4", *ELSEWHERE, *options])
    manifest = read_manifest(folder / "manifest.jsonl")
    streams, readers = open_streams(None, config.model.streams)
    samples = list(manifest.split("train"))
    _, processor = artefact.build(
        config.model.llm, config.model.layout, streams, manifest.labels, config.model.lora,
        torch.float32, 7,
    )  # fmt: skip
    evidence = EvidenceReader(readers, ClueWords())
    return samples, schedule_of(config, samples, evidence, processor, 1, 4, None, balance)


def test_both_clips_of_a_pair_stand_in_one_step_with_one_question(tmp_path: Path) -> None:
    samples, schedule = made(tmp_path, "training.twins=true", "training.max_steps=30")
    assert len(samples) == 20 and len(twins_of(samples)) == 7
    seen: Counter[str | None] = Counter()
    for step in range(30):
        drawn = schedule.step(step)
        for number, (a, b) in enumerate(zip(drawn[::2], drawn[1::2], strict=True), start=2 * step):
            epoch, position = divmod(number, len(schedule._units))
            one, other = schedule._units[schedule._orders[epoch][position]]
            seen[pair_name(one)] += 1
            assert pair_name(one) == pair_name(other) and one.id != other.id
            if pair_name(one):  # one task, one wording, the same channels and the same words
                told = [[i for i, y in zip(e.input_ids, e.labels, strict=True) if y < 0]
                        for e in (a, b)]  # fmt: skip
                assert told[0] == told[1] and a.present == b.present and a.weight == b.weight
    assert all(seen[pair_name(unit[0])] for unit in twins_of(samples))


def test_samples_without_a_twin_are_joined_within_their_corpus(tmp_path: Path) -> None:
    make_twins(tmp_path, 27)
    samples = [s for s in read_manifest(tmp_path / "manifest.jsonl").samples if s.split == "train"]
    alone = [s for s in samples if pair_name(s) is None]
    corpora = ["a" if i % 2 else "b" for i in range(len(alone))]
    for one, other in in_twos(alone, corpora):
        assert corpora[alone.index(one)] == corpora[alone.index(other)]
    assert {s.id for unit in in_twos(alone, corpora) for s in unit} == {s.id for s in alone}


def test_dpo_sets_the_own_reason_against_the_twins(tmp_path: Path) -> None:
    samples, schedule = made(tmp_path, "training.method=dpo", *REASONS_ALONE)
    assert isinstance(schedule, PreferenceSchedule)
    decode = schedule.processor.decode
    of = {s.id: s for s in samples}
    for unit in twins_of(samples):
        for one, other in (unit, unit[::-1]):
            own, twins = schedule.encode(one, 3).answers
            assert (decode(own), decode(twins)) == (one.targets.reason, other.targets.reason)
            assert own[-1] == schedule.processor.end_id
    assert {s.id for unit in schedule._units for s in unit} <= of.keys()
    assert (len(samples), schedule.epoch_size) == (20, 14)


def test_a_clip_without_a_reason_is_no_answer_to_prefer(tmp_path: Path) -> None:
    """Nor is its twin's, to saying nothing."""
    _, schedule = made(tmp_path, "training.method=dpo", *REASONS_ALONE)
    assert isinstance(schedule, PreferenceSchedule)
    (one, other), *rest = schedule._units
    targets = other.targets.model_copy(update={"reason": None, "emotion": "sad"})
    schedule.samples = [one, other.model_copy(update={"targets": targets})]
    schedule.samples += [sample for unit in rest for sample in unit]
    assert len(schedule.units([])) == len(rest)  # nothing was measured: no sentence of clues


def test_pairs_keep_their_names_in_a_mixture(tmp_path: Path) -> None:
    """Of two corpora with the same names of pairs; whatever folders the ids are in."""
    for name in ("a", "b"):
        make_twins(tmp_path / name, 8)
        path = tmp_path / name / "manifest.jsonl"
        path.write_text(path.read_text().replace('"id":"clip-001', '"id":"folder/clip-001'))
    pairs = len(twins_of(read_manifest(tmp_path / "a/manifest.jsonl").split("train")))
    section = {"manifests": [{"manifest": tmp_path / n / "manifest.jsonl"} for n in ("a", "b")]}
    mixed = read_corpora(DataSection.model_validate(section))
    assert len(twins_of(mixed.split("train"))) == 2 * pairs == 4


def test_grpo_knows_the_clues_and_the_label_of_a_clip(tmp_path: Path) -> None:
    samples, schedule = made(tmp_path, "training.method=grpo", *REASONS_ALONE)
    assert isinstance(schedule, QuestionSchedule)
    asked = schedule.encode(samples[0], 0)
    assert asked.label == samples[0].targets.emotion and {"words=sad"} < asked.clues
    assert asked.positions == len(asked.input_ids) - 1 + 3 * 13  # what `plan` counts


def test_a_configuration_of_before_is_written_as_before(tmp_path: Path) -> None:
    """Or its run would not be gone on with."""
    written = load_config(TrainConfig, make_twins(tmp_path)).model_dump()["training"]
    assert not {"method", "twins", "dpo", "grpo"} & written.keys()
    path = tmp_path / "config.yaml"
    chosen = load_config(
        TrainConfig, path, ["training.method=dpo", *REASONS_ALONE, *ELSEWHERE]
    ).model_dump()
    assert chosen["training"]["dpo"]["beta"] == 0.1 and "grpo" not in chosen["training"]
