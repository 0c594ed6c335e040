"""Configuration keys of the released Emotion-LLaMA, and their names here.

Users know `llama_model`, `ckpt`, `init_lr` and so on, and have them in their files. Keys in the
table below are translated; a key without effect here is reported once with the reason; any other
key is an error. Names and meanings are facts of github.com/ZebangCheng/Emotion-LLaMA, whose
configurations these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emollama.base.errors import EmollamaError, did_you_mean

RENAMED: dict[str, str] = {
    "model.llama_model": "model.llm",
    "model.ckpt": "model.initialise_from",
    "model.lora_r": "model.lora.r",
    "model.lora_alpha": "model.lora.alpha",
    "model.lora_dropout": "model.lora.dropout",
    "model.use_grad_checkpoint_llm": "training.gradient_checkpointing",
    "run.init_lr": "training.learning_rate",
    "run.min_lr": "training.min_learning_rate",
    "run.warmup_lr": "training.warmup_learning_rate",
    "run.weight_decay": "training.weight_decay",
    "run.warmup_steps": "training.warmup_steps",
    "run.num_workers": "training.workers",
    "run.seed": "seed",
    "run.output_dir": "output",
}
"""Key of the released system to ours, in a training configuration."""

RENAMED_EVAL: dict[str, str] = {
    "model.ckpt": "model",
    "model.llama_model": "llm",
    "run.save_path": "output",
    "run.seed": "seed",
}
"""The same in an evaluation configuration."""

WITHOUT_EFFECT: dict[str, str] = {
    "model.arch": "the architecture follows from streams and layout",
    "model.model_type": "the architecture follows from streams and layout",
    "model.end_sym": "the tokenizer's own end token is used",
    "model.chat_template": "the layout holds the template",
    "model.prompt": "the layout holds the prompt",
    "model.max_txt_len": "no sample is cut at this length",
    "model.image_size": "features are extracted beforehand",
    "model.vit_path": "features are extracted beforehand",
    "model.use_grad_checkpoint": "the vision tower is not part of a training step",
    "model.low_resource": "set model.quantise",
    "run.task": "tasks are set by task_pool",
    "run.lr_sched": "training.schedule; the cosine with these keys is the default",
    "run.amp": "set model.dtype",
    "run.evaluate": "eval_emotion.py evaluates",
    "run.train_splits": "set data.train_split",
    "run.device": "the device is detected",
    "run.world_size": "torchrun sets it",
    "run.dist_url": "torchrun sets it",
    "run.distributed": "torchrun sets it",
    "run.wandb_log": "TensorBoard files are written",
    "run.job_name": "the output folder names the run",
    "run.name": "the output folder names the run",
    "run.resume_ckpt_path": "the same command resumes from its newest checkpoint",
    "run.log_freq": "set training.log_every_steps",
    "run.save_freq": "set training.save_every_steps",
}
"""Key of the released system to the reason why it has no effect here."""

QUESTION_OF: dict[str, str] = {"mer2024_caption": "mer2024"}
"""Data set to `answers.question`, where the release asks another question than on MER2023."""

_DATASET_KEYS = ("batch_size", "sample_ratio", "vis_processor", "text_processor", "build_info")


def translate_training(values: Mapping[str, Any], world: int) -> tuple[dict[str, Any], list[str]]:
    """Translate the released system's keys in a training configuration.

    Returns:
        The configuration, and a line for each key without effect.

    Raises:
        EmollamaError: a key is given under both names, or its value is not supported.
    """
    found, notes = _translate(values, RENAMED)
    given = found.get("run")
    if given is not None and not isinstance(given, Mapping):
        raise EmollamaError(f"run: must be a mapping of keys to values, not '{given}'")
    run = dict(given or {})
    epochs, steps = run.pop("max_epoch", None), run.pop("iters_per_epoch", None)
    if (epochs is None) != (steps is None):
        raise EmollamaError("run.max_epoch and run.iters_per_epoch: give both or neither")
    if epochs is not None:
        total = _whole("run.max_epoch", epochs) * _whole("run.iters_per_epoch", steps)
        _put(found, "training.max_steps", total, "run.max_epoch")
    found.pop("run", None)
    if run:
        known = [
            k.removeprefix("run.")
            for k in (*RENAMED, *WITHOUT_EFFECT, "max_epoch", "iters_per_epoch")
        ]
        key = next(iter(run))
        raise EmollamaError(f"unknown key 'run.{key}'{did_you_mean(key, known)}")
    _datasets(found, world)
    pool = found.pop("task_pool", None)
    if pool is not None:
        _tasks(found, pool)
    if "run.init_lr" in _flat(values):
        # One rate serves everything there.
        rate = found["training"]["learning_rate"]
        found["training"].setdefault("projector_learning_rate", rate)
    return found, notes


def translate_evaluation(
    values: Mapping[str, Any], dataset: str | None
) -> tuple[dict[str, Any], list[str]]:
    """Translate an evaluation configuration, for the data set named by `--dataset`.

    Raises:
        EmollamaError: the data set is unknown, or there are several and none is named.
    """
    sets = values.get("evaluation_datasets")
    rest = {k: v for k, v in values.items() if k not in ("evaluation_datasets", "datasets")}
    model = rest.get("model")
    found: dict[str, Any] = dict(rest)
    notes: list[str] = []
    if isinstance(model, Mapping):
        found, notes = _translate(rest, RENAMED_EVAL)
        if isinstance(found.get("model"), Mapping):
            raise EmollamaError(
                "model.ckpt is missing: give an artefact's folder, or a released .pth"
            )
    if sets is None:
        if dataset is not None:
            raise EmollamaError(f"--dataset {dataset}: there are no evaluation_datasets")
        return found, notes
    if not isinstance(sets, Mapping) or not sets:
        raise EmollamaError("evaluation_datasets must hold data sets by name")
    sets = {str(key): value for key, value in sets.items()}
    name = dataset if dataset is not None or len(sets) > 1 else next(iter(sets))
    if name not in sets:
        given = f"--dataset {name}" if name else "--dataset is missing"
        hint = did_you_mean(name, sets) if name else f"; there are {', '.join(sets)}"
        raise EmollamaError(f"evaluation_datasets: {given}{hint}")
    if sets[name] is not None and not isinstance(sets[name], Mapping):
        raise EmollamaError(f"evaluation_datasets.{name}: must be a mapping of keys to values")
    one = dict(sets[name] or {})
    for theirs, ours in (
        ("eval_file_path", "data.manifest"),
        ("split", "data.split"),
        ("store", "data.store"),
        ("features", "data.features"),
        ("max_new_tokens", "reasons.max_new_tokens"),
        ("batch_size", "batch_size"),
    ):
        if theirs in one:
            _put(found, ours, one.pop(theirs), f"evaluation_datasets.{name}.{theirs}")
    answers = found.get("answers")
    if name in QUESTION_OF and not (isinstance(answers, Mapping) and "question" in answers):
        _put(found, "answers.question", QUESTION_OF[name], f"evaluation_datasets.{name}")
    if one.pop("img_path", None) is not None:
        notes.append(f"evaluation_datasets.{name}.img_path has no effect: the manifest names media")
    if one:
        raise EmollamaError(f"unknown key 'evaluation_datasets.{name}.{next(iter(one))}'")
    return found, notes


def _translate(
    values: Mapping[str, Any], renamed: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    found = {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}
    notes = []
    moved: list[tuple[str, str, Any]] = []
    for key, value in _flat(values).items():
        section, _, name = key.partition(".")
        if key in renamed:
            moved.append((key, renamed[key], value))
        elif key in WITHOUT_EFFECT:
            notes.append(f"{key} has no effect here: {WITHOUT_EFFECT[key]}")
        else:
            continue
        del found[section][name]
    for section in ("model", "run"):
        if section in found and found[section] == {}:
            del found[section]
    for key, ours, value in moved:
        _put(found, ours, value, key)
    return found, notes


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the first two levels, with a point between them."""
    return {
        f"{section}.{name}": value
        for section, inner in values.items()
        if isinstance(inner, Mapping)
        for name, value in inner.items()
    }


def _put(found: dict[str, Any], key: str, value: Any, theirs: str) -> None:
    *path, last = key.split(".")
    section = found
    for part in path:
        inner = section.get(part)
        if inner is not None and not isinstance(inner, Mapping):
            raise EmollamaError(f"key '{part}': must be a mapping of keys to values, not '{inner}'")
        section[part] = dict(inner or {})
        section = section[part]
    if last in section:
        raise EmollamaError(f"'{theirs}' means '{key}', and both are given; leave one out")
    section[last] = value


def _whole(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise EmollamaError(f"key '{key}': '{value}' is not a whole number")
    return value


def _datasets(found: dict[str, Any], world: int) -> None:
    """`datasets.<name>.batch_size` is per process there; ours is per step over all processes."""
    sets = found.pop("datasets", None)
    if sets is None:
        return
    if not isinstance(sets, Mapping) or len(sets) != 1:
        raise EmollamaError("datasets: training uses one data set; merge several into one manifest")
    name, inner = next(iter(sets.items()))
    if inner is not None and not isinstance(inner, Mapping):
        raise EmollamaError(f"datasets.{name}: must be a mapping of keys to values, not '{inner}'")
    inner = inner or {}
    for key in inner:
        if key not in (*_DATASET_KEYS, "task_pool"):
            raise EmollamaError(
                f"unknown key 'datasets.{name}.{key}'{did_you_mean(key, _DATASET_KEYS)}"
            )
    if "batch_size" in inner:
        theirs = f"datasets.{name}.batch_size"
        size = _whole(theirs, inner["batch_size"])
        _put(found, "training.batch_size", size * world, theirs)
        found["training"].setdefault("micro_batch", size)
    if "task_pool" in inner:
        found["task_pool"] = inner["task_pool"]


def _tasks(found: dict[str, Any], pool: Any) -> None:
    """Tasks are drawn uniformly from the pool; one that is listed twice is drawn twice as often."""
    known = {"emotion": "emotion", "reason": "reason", "reason_v2": "reason"}
    if not isinstance(pool, list) or not pool:
        raise EmollamaError("task_pool must be a list, such as [emotion, reason]")
    shares = {"emotion": 0.0, "reason": 0.0}
    for task in pool:
        if not isinstance(task, str) or task not in known:
            raise EmollamaError(f"task_pool: '{task}' is unknown{did_you_mean(str(task), known)}")
        shares[known[task]] += 1.0
    for task, share in shares.items():
        _put(found, f"tasks.{task}.share", share, "task_pool")
