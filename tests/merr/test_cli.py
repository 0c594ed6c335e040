"""The command line: options, settings that cannot work, and two processes on one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.base.files import sole_writer
from emollama.merr.check import check
from emollama.merr.cli import _opened, spread
from emollama.merr.settings import Settings, load_settings


def test_options_are_listed_as_train_py_takes_them() -> None:
    told = spread(["build", "C", "--options", "a=1", "b.c=x=2", "--out", "O", "--options", "d=3"])
    assert told == ["build", "C", "--options", "a=1", "--options", "b.c=x=2", "--out", "O",
                    "--options", "d=3"]  # fmt: skip
    assert spread(["--options", "a=1", "C=D", "E"])[-3:] == ["--options", "C=D", "E"]
    assert spread(["--options", "C", "a=1"]) == ["--options", "C", "a=1"]
    assert spread(["--out=x", "a=1", "--options"]) == ["--out=x", "a=1", "--options"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": "mer2032"}, "mer2023"),
        ({"rules": "emfac"}, "emfacs"),
        ({"faces": {"source": "openface"}}, "faces.openface"),
        ({"faces": {"landmarker": "gone.task"}}, "gone.task"),
        ({"transcript": {"whisper": "whisper-tinny"}}, "transcript: .* mean 'whisper-tiny'"),
        ({"transcript": {"language": "de"}}, "transcript: language 'de': .* only English"),
        ({"evidence": {"sentences": "prosody"}}, "evidence.sentences: 'prosody'"),
        ({"evidence": {"face": 0, "voice": 0, "words": 0}}, "set at least one above 0"),
        ({"visual": {"kind": "local", "model": "x"}}, "visual.kind: 'local' is only for refine"),
        ({"tone": {"kind": "endpoint", "model": "x"}}, "tone.url"),
        ({"refine": {"kind": "endpoint", "url": "http://h/v1"}}, "refine.model"),
        ({"refine": {"kind": "local", "model": "nowhere"}}, "refine.model: 'nowhere'"),
    ],
)
def test_what_cannot_work_is_told_before_a_clip_is_looked_at(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(EmollamaError, match=message):
        check(Settings.model_validate(values))


def test_only_the_settings_of_the_stages_to_be_run_matter() -> None:
    key = Settings.model_validate({"refine": {"kind": "endpoint"}})
    check(key, ("units", "export"))


def test_settings_that_are_refused_are_not_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(EmollamaError, match=r"refine\.url"), _opened(
        out, None, ["refine.kind=endpoint"], ("refine",)
    ):  # fmt: skip
        pass
    assert not out.exists()
    with _opened(out, None, ["labels=mer2023"]):
        pass
    assert load_settings(out / "settings.json").labels == "mer2023"


def test_a_folder_is_built_by_one_process(tmp_path: Path) -> None:
    with sole_writer(tmp_path, "busy"), pytest.raises(EmollamaError, match="another build"), (
        _opened(tmp_path, None, None)
    ):  # fmt: skip
        pass


def test_one_shard_is_run_by_one_process(tmp_path: Path) -> None:
    with sole_writer(tmp_path / ".shards" / "1-of-2", "busy"):
        with pytest.raises(EmollamaError, match="shard 1/2 is running"), _opened(
            tmp_path, None, None, (), None, "1/2"
        ):  # fmt: skip
            pass
        with _opened(tmp_path, None, None, (), None, "0/2") as made:
            assert made.shard == (0, 2)
