"""Votes and sets of words as what the language model learns: drawn labels, lists of words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_describing
from emollama.cli.app import app
from emollama.evaluation.config import EvalConfig, EvalData
from emollama.evaluation.evaluate import evaluate
from emollama.inputs.config import ModalityDropout
from emollama.llm.training.config import TasksSection, TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.sample import Sample, Targets, read_manifest, write_manifest
from emollama.scoring.predictions.parsing import parse_set
from emollama.scoring.predictions.predictions import read_predictions
from emollama.scoring.readers.predict_rows import read_predict_rows
from tests.llm.training.corpus import make
from tests.llm.training.test_instructions import processor, schedule  # noqa: F401  a fixture
from tests.scoring.wheel_made import write_tables
from tests.session.made import tiny_artefact

VOTES = Targets(emotion="happy", votes={"happy": 3, "sad": 1})
WORDS = Targets(words=("joyful", "ill at ease", "proud"))


def answers(processor, sample: Sample, tasks: TasksSection, epochs: int) -> list[str]:  # noqa: F811
    made = schedule(processor, [sample], ModalityDropout(), tasks)
    found = []
    for epoch in range(epochs):
        encoded = made.encode(sample, epoch)
        ids = [i for i in encoded.labels if i >= 0][:-1]
        found.append(processor.tokenizer.decode(ids).strip())
    return found


def test_a_label_is_drawn_by_its_share_of_the_votes(processor) -> None:  # noqa: F811
    tasks = TasksSection.model_validate({"emotion": {"soft_labels": True}})
    voted = Sample(id="a", text="x", targets=VOTES)
    counts = Counter(answers(processor, voted, tasks, 200))
    happy, sad = (counts[processor.label_answer(x).strip()] for x in ("happy", "sad"))
    assert happy + sad == 200 and 130 < happy < 170
    # The same again, and always the label where votes are not asked for.
    assert Counter(answers(processor, voted, tasks, 200)) == counts
    assert set(answers(processor, voted, TasksSection(), 20)) == {"happy"}


def test_words_are_listed_in_any_order(processor) -> None:  # noqa: F811
    tasks = TasksSection.model_validate({"describe": {"share": 1.0}})
    found = answers(processor, Sample(id="a", text="x", targets=WORDS), tasks, 20)
    assert {frozenset(parse_set(text)) for text in found} == {frozenset(WORDS.words or ())}
    assert len(set(found)) > 2


@pytest.mark.parametrize(
    ("targets", "given", "expected"),
    [
        (VOTES, {}, {"emotion": 1.0}),
        (VOTES.model_copy(update={"emotion": None}), {}, {}),
        (VOTES.model_copy(update={"emotion": None}), {"emotion": {"soft_labels": True}},
         {"emotion": 1.0}),
        (WORDS, {}, {}),
        (WORDS, {"describe": {"share": 2.0}}, {"describe": 2.0}),
        (Targets(emotion="sad", reason="Low voice."), {"reason": {"share": 3.0}},
         {"emotion": 1.0, "reason": 3.0}),
        (Targets(emotion="sad"), {"reason": {"share": 3.0, "from_clues": True}},
         {"emotion": 1.0, "reason": 3.0}),
    ],
)  # fmt: skip
def test_a_clip_is_asked_what_it_answers(
    targets: Targets, given: dict[str, object], expected: dict[str, float]
) -> None:
    assert TasksSection.model_validate(given).shares(targets) == expected


def test_earlier_configurations_stay_as_they_are() -> None:
    told = TasksSection().model_dump()
    assert "describe" not in told and "soft_labels" not in told["emotion"]
    given = {"emotion": {"soft_labels": True}, "describe": {"share": 1.0}}
    asked = TasksSection.model_validate(given)
    assert TasksSection.model_validate(asked.model_dump()) == asked
    with pytest.raises(ValueError, match="shares of all tasks are 0"):
        TasksSection.model_validate({"emotion": {"share": 0}})


def test_lists_as_models_write_them() -> None:
    assert parse_set("Happy, ill at ease and happy.\nproud") == ("Happy", "ill at ease", "proud")
    assert parse_set("['glad', 'brave']") == ("glad", "brave")
    assert parse_set("candid; sand") == ("candid", "sand") and parse_set(" .,") == ()


def test_trained_and_asked_for_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path)
    options = ["training.max_steps=40", "tasks.words.share=1", "tasks.reason.share=0",
               "tasks.emotion.share=0", "model.streams=[]"]  # fmt: skip
    config = load_config(TrainConfig, path, options)
    assert "tasks.words is now tasks.describe" in capsys.readouterr().err
    manifest = read_manifest(config.data.manifest)
    samples = [s.model_copy(update={"targets": WORDS}) for s in manifest.samples]
    write_manifest(config.data.manifest, "tiny", manifest.labels, samples)
    with pytest.raises(EmollamaError, match=r"no training sample has an answer .* tasks\.describe"):
        train(config.model_copy(update={"tasks": TasksSection()}))
    model = train(config)
    data = EvalData(manifest=config.data.manifest, split="val")
    asked = EvalConfig.model_validate(
        {"model": model, "output": tmp_path / "eval", "data": data, "task": "words"}
    )
    assert asked.task == "describe"
    assert evaluate(asked).scores is None  # nothing says yet which words mean the same
    scored = evaluate(asked.model_copy(update={"wheel": write_tables(tmp_path / "wheel")})).scores
    assert scored is not None and "ew_f" in str(scored)
    rows = read_predictions(tmp_path / "eval" / "predictions.jsonl").rows
    assert len(rows) == 6 and {r.reference_words for r in rows} == {WORDS.words}
    assert all(r.answer is not None and (r.words or r.parse_failure == "no words") for r in rows)
    table, where = tmp_path / "answers.csv", str(config.data.manifest)
    predict = ["predict", where, "--model", str(model), "--out", str(table), "--describe"]
    told = CliRunner().invoke(app, [*predict, "--no-explain", "--dtype", "float32"])
    assert told.exit_code == 0, told.output
    said = {word for row in read_predict_rows(table)[0] for word in row.words or ()}
    assert said & set(WORDS.words or ()), said
    score = ["score", str(table), "--manifest", where, "--wheel", str(tmp_path / "wheel")]
    scored = CliRunner().invoke(app, [*score, "--metric", "ew_f", "--format", "json"])
    assert scored.exit_code == 0 and '"ew_f"' in scored.output, scored.output


def test_a_model_that_never_learned_to_describe_says_so(tmp_path: Path) -> None:
    """Before it is loaded."""
    model = tiny_artefact(tmp_path / "tiny")
    (model / "adapter_model.safetensors").unlink()
    with pytest.raises(EmollamaError, match=r"model: did not learn to describe: .*share"):
        need_describing(model)
    (clip := tmp_path / "clip.wav").touch()
    told = CliRunner().invoke(app, ["predict", str(clip), "--model", str(model), "--describe"])
    assert "did not learn to describe" in str(told.exception)
