"""Configurations of the released system: its keys, moved to ours or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig
from emollama.features.store import relocated_sources
from emollama.llm.layout import get_layout
from emollama.llm.released import emotion_llama_v1 as v1
from emollama.llm.training.config import TrainConfig

ROOT = Path(__file__).parents[2]
STREAM = {"name": "hubert", "channel": "voice", "source": "npy:HL-UTT"}
TRAINING = {
    "model": {
        "arch": "minigpt_v2", "llama_model": "llama", "ckpt": "minigpt.pth", "lora_r": 64,
        "lora_alpha": 16, "max_txt_len": 1024, "end_sym": "</s>", "streams": [STREAM],
    },
    "datasets": {"feature_face_caption": {"batch_size": 2, "sample_ratio": 30}},
    "task_pool": ["emotion", "reason", "reason"],
    "data": {"manifest": "m.jsonl"},
    "run": {
        "task": "image_text_pretrain", "init_lr": 1e-5, "min_lr": 1e-6, "warmup_lr": 1e-6,
        "weight_decay": 0.05, "max_epoch": 30, "iters_per_epoch": 1000, "warmup_steps": 1000,
        "num_workers": 6, "seed": 42, "output_dir": "out", "amp": True,
    },
}  # fmt: skip


def write(folder: Path, values: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_training_configuration_in_released_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    config = load_config(TrainConfig, write(tmp_path, TRAINING), ["run.init_lr=2e-5"])
    assert (config.model.llm, config.model.initialise_from) == ("llama", Path("minigpt.pth"))
    assert (config.model.lora.r, config.model.lora.alpha) == (64, 16)
    settings = config.training
    assert (settings.max_steps, settings.batch_size, settings.micro_batch) == (30000, 8, 2)
    assert settings.learning_rate == settings.projector_learning_rate == 2e-5
    assert (settings.min_learning_rate, settings.warmup_learning_rate) == (1e-6, 1e-6)
    assert (settings.weight_decay, settings.warmup_steps, settings.workers) == (0.05, 1000, 6)
    assert (config.seed, config.output) == (42, Path("out"))
    assert (config.tasks.emotion.share, config.tasks.reason.share) == (1.0, 2.0)
    notes = capsys.readouterr().err.splitlines()
    told = {line.split(": ")[2].split()[0] for line in notes}
    assert told == {"model.arch", "model.max_txt_len", "model.end_sym", "run.task", "run.amp"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"llama_modle": "x"}}, "unknown key 'model.llama_modle'"),
        ({"run": {"init_rl": 1}}, "unknown key 'run.init_rl'; did you mean 'init_lr'?"),
        ({"model": {"llm": "x"}}, "'model.llama_model' means 'model.llm', and both are given"),
        ({"task_pool": ["emotoin"]}, "'emotoin' is unknown; did you mean 'emotion'?"),
        ({"task_pool": []}, "task_pool must be a list"),
        ({"run": {"max_epoch": "x"}}, "key 'run.max_epoch': 'x' is not a whole number"),
        ({"datasets": {"a": 3}}, "datasets.a: must be a mapping of keys to values"),
        ({"task_pool": [["emotion"]]}, "task_pool: '['emotion']' is unknown"),
        ({"datasets": []}, "datasets: training uses one data set"),
        ({"datasets": {"a": {"batch_sise": 1}}}, "unknown key 'datasets.a.batch_sise'"),
    ],
)
def test_what_neither_system_knows_is_refused(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    values: dict[str, object] = dict(TRAINING)
    for key, value in changes.items():
        before = TRAINING.get(key)
        merged = key in ("model", "run") and isinstance(before, dict) and isinstance(value, dict)
        values[key] = {**before, **value} if merged else value  # type: ignore[dict-item]
    path = write(tmp_path, values)
    with pytest.raises(EmollamaError) as error:
        load_config(TrainConfig, path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_the_known_command_picks_its_data_set() -> None:
    path = ROOT / "eval_configs/eval_emotion.yaml"
    config = load_config(EvalConfig, path, dataset="feature_face_caption")
    assert config.data.manifest == Path("runs/mer2023/test3.jsonl")
    assert (config.reasons.max_new_tokens, config.batch_size) == (500, 1)
    assert config.model == Path("runs/Emotion-LLaMA_stage2/model")
    other = load_config(EvalConfig, path, dataset="mer2024_caption")
    assert other.data.manifest == Path("runs/mer2024/noise.jsonl")
    assert (config.answers.question, other.answers.question) == (None, "mer2024")
    assert "question" not in config.model_dump(mode="json")["answers"]  # nor in the hash of before
    for name, said in ((None, "--dataset is missing"), ("feature_face", "feature_face_caption")):
        with pytest.raises(EmollamaError, match=said):
            load_config(EvalConfig, path, dataset=name)
        with pytest.raises(EmollamaError) as caught:
            load_config(EvalConfig, path, dataset=name)
        assert str(caught.value).count(str(path)) == 1


def test_mer2024_is_asked_with_the_six_words_of_its_release() -> None:
    """ZebangCheng/Emotion-LLaMA 4ee28d2, minigpt4/datasets/datasets: first_face.py, mer2024.py."""
    for name in ("emotion-llama-v1", "emotion-llama-v1-stage2", "emotion-llama-v1-upstream-eval"):
        layout = get_layout(name)
        (nine,) = layout.instructions["emotion"]
        (six,) = layout.asking("mer2024").instructions["emotion"]
        assert nine.endswith(
            "happy, sad, neutral, angry, worried, surprise, fear, contempt, doubt."
        )
        assert six == (
            "[emotion] Please determine which emotion label in the video represents: happy, sad, "
            "neutral, angry, worried, surprise."
        )
        assert layout.asking("mer2024").instructions["reason"] == layout.instructions["reason"]
    assert get_layout("emollama-chat").asking("mer2024") == get_layout("emollama-chat")


def test_folders_of_features_are_found_under_mer2024s_names(tmp_path: Path) -> None:
    """The names that the same two files of the release read."""
    for name in ("mae_340_23_UTT", "maeVideo_399_23_UTT", "HL_23_UTT", "HL-UTT"):
        (tmp_path / name).mkdir()
    found = relocated_sources(
        [v1.SOURCES[n] for n in ("face_mae", "video_mae", "hubert")], tmp_path
    )
    assert found == [
        f"npy:{tmp_path / name}" for name in ("mae_340_23_UTT", "maeVideo_399_23_UTT", "HL-UTT")
    ]


def test_the_published_schedule_is_what_the_preset_asks_for() -> None:
    config = load_config(TrainConfig, ROOT / "train_configs/Emotion-LLaMA_finetune.yaml")
    assert config.training.max_steps == 30 * 1000
    assert config.training.learning_rate == 1e-5 and config.training.min_learning_rate == 1e-6
    assert config.model.lora.targets == ["q_proj", "v_proj"]
    assert config.tasks.emotion.share == config.tasks.reason.share == 1.0
