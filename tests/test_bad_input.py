"""What a user can get wrong: exit code 2, one line that says what and where, nothing half-written.

The entry points run in this process, so that forty mistakes cost seconds; two of them run as
users start them, to hold what only a process can show.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from emollama.cli import app as cli
from emollama.cli import scripts
from tests.llm.training.corpus import make

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a trained artefact, and the configuration that evaluates it."""
    folder = tmp_path_factory.mktemp("made")
    config = make(folder)
    run(scripts.train_main, "--cfg-path", config, "--options", "training.max_steps=1")
    evaluation = {
        "model": str(folder / "run/model"),
        "output": str(folder / "eval"),
        "data": {"manifest": str(folder / "manifest.jsonl"), "split": "val"},
        "bootstrap": 100,
    }
    evaluation["data"]["validation_split"] = None
    (folder / "eval.yaml").write_text(yaml.safe_dump(evaluation))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the corpus that may be spoiled."""
    import shutil

    copy = tmp_path / "corpus"
    shutil.copytree(made, copy)
    for name in ("config.yaml", "eval.yaml"):
        text = (copy / name).read_text().replace(str(made), str(copy))
        (copy / name).write_text(text)
    processor = copy / "run/model/processor.json"
    processor.write_text(processor.read_text().replace(str(made), str(copy)))
    for name in ("run/checkpoints", "run/config.yaml"):
        path = copy / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return copy


def run(main: Callable[[], None], *arguments: object) -> None:
    before, sys.argv = sys.argv, ["emollama", *map(str, arguments)]
    try:
        main()
    finally:
        sys.argv = before


def refused(
    capsys: pytest.CaptureFixture[str], main: Callable[[], None], *arguments: object
) -> str:
    """The one line on stderr with which a command ends."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        run(main, *arguments)
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line.lower()]
    assert stop.value.code == 2, errors
    assert len(errors) == 1 and errors[0].startswith("error: "), errors
    return errors[0]


def files(folder: Path) -> set[Path]:
    return {p.relative_to(folder) for p in folder.rglob("*")}


OVERRIDES = {
    "training.max_stepz=3": "unknown key 'training.max_stepz'; did you mean 'max_steps'?",
    "model.streams.0.tokns=3": "unknown key 'model.streams.0.tokns'; did you mean 'tokens'?",
    "trainin.max_steps=3": "unknown key 'trainin'; did you mean 'training'?",
    "training.max_steps=many": "key 'training.max_steps'",
    "training.max_steps=0": "key 'training.max_steps'",
    "modality_dropout.voice=1.5": "key 'modality_dropout.voice'",
    "training.micro_batch=3": "batch_size 4 is not a multiple of micro_batch 3",
    "training.schedule=cosin": "key 'training.schedule'",
    "nonsense": "'nonsense': an override must have the form key=value",
    "model.llm=smollm2-135m-instrukt": "did you mean 'smollm2-135m-instruct'?",
    "model.layout=emollama-chatt": "did you mean 'emollama-chat'?",
    "model.lora.targets=[q_proj,v_porj]": "'v_porj' is not a linear layer",
    "training.deepspeed=nowhere.json": "nowhere.json: cannot be read",
    "data.train_split=trian": "split 'trian' has no samples; splits in the manifest: train, val",
    "data.manifest=nowhere.jsonl": "nowhere.jsonl: cannot be read: No such file",
    "model.streams.0.source=npy:nowhere": "nowhere",
    "model.streams.0.source=whisper-tiny.en+layer=2": "whisper-tiny.en+layer=2",
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_wrong_option_of_training(
    folder: Path, capsys: pytest.CaptureFixture[str], override: str
) -> None:
    before = files(folder)
    said = refused(
        capsys, scripts.train_main, "--cfg-path", folder / "config.yaml",
        "--options", f"output={folder / 'new'}", override,
    )  # fmt: skip
    assert OVERRIDES[override] in said
    assert files(folder) == before


def test_an_unknown_key_in_the_file_names_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("max_steps", "max_step"))
    said = refused(capsys, scripts.train_main, "--cfg-path", path)
    assert f"{path}: unknown key 'training.max_step'; did you mean 'max_steps'?" in said


@pytest.mark.parametrize("text", ["a: [1, 2", "- 1\n- 2", "", "\tx: 1", "output: ${nowhere}"])
def test_a_configuration_that_is_none(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = folder / "config.yaml"
    path.write_text(text)
    assert str(path) in refused(capsys, scripts.train_main, "--cfg-path", path)
    assert str(path) in refused(capsys, scripts.evaluate_main, "--cfg-path", path)


def lines(folder: Path) -> list[str]:
    return (folder / "manifest.jsonl").read_text().splitlines()


def edit(line: str, **changes: object) -> str:
    return json.dumps({**json.loads(line), **changes})


MANIFESTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "empty": (lambda rows: [], "manifest.jsonl: is empty"),
    "header only": (lambda rows: rows[:1], "manifest.jsonl: holds no samples"),
    "no labels": (
        lambda rows: ['{"manifest": {"version": 1}}', *rows[1:]], "1: the header has no 'labels'"
    ),
    "no header": (lambda rows: rows[1:], "manifest.jsonl:1: the first line must be the"),
    "not JSON": (lambda rows: [*rows, "{"], "manifest.jsonl:26: is not JSON"),
    "duplicate": (lambda rows: [*rows, rows[1]], "id 'clip-000' is already on line 2"),
    "label": (
        lambda rows: [*rows, edit(rows[1], id="x", targets={"emotion": "hapy"})],
        "manifest.jsonl:26: targets.emotion: 'hapy'",
    ),
    "unknown field": (
        lambda rows: [*rows, edit(rows[1], id="x", txt="hello")], "manifest.jsonl:26: 'txt'"
    ),
    "times": (
        lambda rows: [*rows, edit(rows[1], id="x", start=2, end=1)],
        "manifest.jsonl:26: 'end' 1.0 is not after 'start'",
    ),
    "labels that are no words": (
        lambda rows: [rows[0].replace('["neutral",', '[1,'), *rows[1:]], "labels must be words"
    ),
    "labels that are no list": (
        lambda rows: [rows[0].replace('"labels":[', '"labels":"happy","x":['), *rows[1:]],
        "'labels' must hold a name and a list of labels",
    ),
    "id of a path": (
        lambda rows: [*rows, edit(rows[1], id="../../x")],
        "manifest.jsonl:26: 'id': '../../x' is not a valid id",
    ),
    "id of two lines": (
        lambda rows: [*rows, edit(rows[1], id="a\nb")],
        "manifest.jsonl:26: 'id': 'a b' is not a valid id",
    ),
    "key twice": (
        lambda rows: [*rows, '{"id": "x", "id": "y"}'],
        "manifest.jsonl:26: cannot be parsed as JSON: key 'id' occurs twice",
    ),
    "a very long number": (
        lambda rows: [*rows, '{"id": ' + "9" * 5000 + "}"],
        "cannot be parsed as JSON",
    ),
    "a very deep value": (lambda rows: [*rows, "[" * 100_000], "cannot be parsed as JSON"),
    "newer": (
        lambda rows: [rows[0].replace('"version":1', '"version":9'), *rows[1:]],
        "manifest version 9 is not supported",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_wrong_manifest(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    change, expected = MANIFESTS[name]
    text = "".join(line + "\n" for line in change(lines(folder)))
    (folder / "manifest.jsonl").write_text(text)
    before = files(folder)
    where = ("--options", f"output={folder / 'new'}")
    for main, config in ((scripts.train_main, "config.yaml"), (scripts.evaluate_main, "eval.yaml")):
        assert expected in refused(capsys, main, "--cfg-path", folder / config, *where)
    store = ("--store", folder / "store", "--encoders", "prosody")
    assert expected in refused(capsys, cli.main, "extract", folder / "manifest.jsonl", *store)
    assert files(folder) == before


def spoil_nan(path: Path) -> None:
    values = np.load(path)
    values[1, 3] = np.nan
    np.save(path, values)


def spoil_width(path: Path) -> None:
    np.save(path, np.load(path)[:, :-1])


def spoil_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def spoil_pickle(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize("spoil", [spoil_nan, spoil_width, spoil_cut, spoil_pickle])
@pytest.mark.parametrize("which", [0, 5])  # of the validation split, and of the training split
def test_a_feature_file_that_is_broken_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil, which: int
) -> None:
    spoil(folder / f"voice/clip-{which:03d}.npy")
    # Training reads the training split, evaluation both: the baseline is fitted on it.
    if which:
        said = refused(
            capsys, scripts.train_main, "--cfg-path", folder / "config.yaml",
            "--options", f"output={folder / 'new'}",
        )  # fmt: skip
        assert f"clip-{which:03d}.npy" in said
        assert not (folder / "new/model").exists()
    said = refused(capsys, scripts.evaluate_main, "--cfg-path", folder / "eval.yaml")
    # The first file of a folder says how wide the folder is.
    assert f"clip-{which:03d}.npy" in said or (
        which == 0 and "voice is 11 columns wide, but the model was built for 12" in said
    )
    assert not (folder / "eval").exists()


def test_a_feature_folder_of_another_width_than_the_models_stream(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (folder / "voice").glob("*.npy"):
        np.save(path, np.load(path)[:, :5])
    said = refused(capsys, scripts.evaluate_main, "--cfg-path", folder / "eval.yaml")
    assert "stream 'voice'" in said and "is 5 columns wide, but the model was built for 12" in said


def test_an_artefact_of_another_label_set(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines(folder)
    header = json.loads(rows[0])
    header["manifest"]["labels"]["labels"].append("bored")
    text = "\n".join([json.dumps(header), *rows[1:]]) + "\n"
    (folder / "manifest.jsonl").write_text(text)
    said = refused(capsys, scripts.evaluate_main, "--cfg-path", folder / "eval.yaml")
    assert "run/model: was trained on the labels neutral, " in said and "bored" in said


def test_corrupt_weights_of_an_artefact(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = folder / "run/model/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    said = refused(capsys, scripts.evaluate_main, "--cfg-path", folder / "eval.yaml")
    assert "adapter_model.safetensors: is corrupt" in said
    assert not (folder / "eval").exists()


def test_names_that_no_file_can_have(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines(folder)
    odd = [edit(rows[2], id="感" * 150), edit(rows[2], id="null", video="a\x00b.mp4")]
    (folder / "manifest.jsonl").write_text("\n".join([*rows, *odd]) + "\n")
    run(
        scripts.train_main,
        "--cfg-path",
        folder / "config.yaml",
        "--options",
        "training.max_steps=1",
    )
    assert "left out 2 samples" in capsys.readouterr().err
    run_app("extract", folder / "manifest.jsonl", "--store", folder / "s", "--encoders", "prosody")
    model = ("--model", folder / "run/model")
    said = refused(capsys, cli.main, "predict", "x" * 300, *model)
    assert "is not a readable media file (File name too long)" in said


def run_app(*arguments: object) -> None:
    with pytest.raises(SystemExit) as stop:
        run(cli.main, *arguments)
    assert not stop.value.code


def test_a_folder_that_is_no_artefact(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = folder / "voice/clip-000.npy"
    for model, expected in (
        (folder / "nowhere", "is not a folder"),
        (folder, "is not an artefact"),
    ):
        assert expected in refused(capsys, cli.main, "predict", clip, "--model", model)
        assert expected in refused(
            capsys, cli.main, "export", "--model", model, "--out", folder / "x"
        )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("prepare", "ravdess", "{f}/nowhere", "--out", "{f}/m"), "nowhere"),
        (("prepare", "ravdess", "{f}/voice", "--out", "{f}/m"), "{f}/voice"),
        (("prepare", "csv", "{f}/nowhere.csv", "--out", "{f}/m"), "nowhere.csv"),
        (("prepare", "csv", "{f}/eval.yaml", "--out", "{f}/m"), "eval.yaml"),
        (("prepare", "npz", "{f}/eval.yaml", "--out", "{f}/m"), "eval.yaml"),
        (
            ("extract", "{f}/manifest.jsonl", "--store", "{f}/m", "--encoders", "whispr-tiny.en"),
            "did you mean 'whisper-tiny.en'?",
        ),
        (
            (
                "extract",
                "{f}/manifest.jsonl",
                "--store",
                "{f}/m",
                "--encoders",
                "prosody+segmnts=2",
            ),
            "segments",
        ),
        (
            ("extract", "{f}/manifest.jsonl", "--store", "{f}/eval.yaml", "--encoders", "prosody"),
            "eval.yaml",
        ),
        (("score", "{f}/manifest.jsonl", "--out", "{f}/m"), "manifest.jsonl"),
        (("splits", "{f}/nowhere.json"), "nowhere.json"),
        (("splits", "{f}/llm/config.json"), "llm/config.json: not a report.json"),
        (("synth", "--out", "{f}/m", "--clips", "0"), "clips"),
        (("predict", "x.mp4"), "x.mp4: does not exist"),
        (("explain", "x.mp4"), "Missing option '--out'"),
        (("predict", "x.mp4", "--model", "{f}", "--dtype", "foo"), "'foo'"),
        (("predikt", "x.mp4"), "predikt"),
        (
            ("extract", "{f}/manifest.jsonl", "--store", "{f}/m", "--workers", "two"),
            "Invalid value for '--workers'",
        ),
        (("assets", "fetch", "whisper-tiny.an"), "did you mean 'whisper-tiny.en'?"),
    ],
)
def test_a_wrong_argument_of_a_command(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    before = files(folder)
    given = [a.replace("{f}", str(folder)) for a in arguments]
    assert expected.replace("{f}", str(folder)) in refused(capsys, cli.main, *given)
    assert files(folder) == before


def test_as_users_start_it(folder: Path) -> None:
    for command in (
        [str(ROOT / "train.py"), "--cfg-path", str(folder / "nowhere.yaml")],
        ["-m", "emollama", "predict", "x.mp4", "--model", str(folder / "nowhere")],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
        assert done.stdout == ""
