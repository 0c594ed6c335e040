"""`--enrol`, `--person`, `--save-person` and `emollama person`, for both families."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.cli.chat import Terminal
from emollama.inputs.stored_people import people_folder, stored_people
from emollama.session import Sampling, open_session
from tests.features.made import voice
from tests.session.made import tiny_artefact
from tests.session.people_made import FAMILIES, llm_of_people, people_clips


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emollama.inputs.stored_people.asset_home", lambda: tmp_path / "home")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return people_clips(tmp_path_factory.mktemp("clips"))


def run(*words: Any) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def predicted(model: Path, clip: Path, *more: Any) -> dict[str, Any]:
    """The answer, among lines of stderr."""
    said = run("predict", clip, "--model", model, "--text", "", "--no-explain", "--json", *more)
    found: dict[str, Any] = json.loads(next(line for line in said.splitlines() if line[0] == "{"))
    return found


def test_a_person_is_enrolled_stored_used_shown_and_removed(
    model: Path, clips: dict[str, list[Path]]
) -> None:
    clip, *others = clips["low"]
    options = [word for path in others for word in ("--enrol", path)]
    plain, enrolled = predicted(model, clip), predicted(model, clip, *options)
    assert "person" not in plain and enrolled["person"]["clips"] == 3
    assert plain["scores"] != enrolled["scores"]
    assert "measured against 3 clips of this person" in enrolled["notes"]
    assert not people_folder().exists()  # nothing is stored unasked

    stored = predicted(model, clip, *options, "--save-person", "ann")
    assert stored["scores"] == enrolled["scores"] and stored["person"]["name"] == "ann"
    later = predicted(model, clip, "--person", "ann")
    assert later["person"] == stored["person"]
    assert later["scores"] == pytest.approx(enrolled["scores"], abs=1e-4)

    listed = run("person", "list")
    assert "ann" in listed and "3" in listed and str(people_folder()) in listed.replace("\n", "")
    shown = run("person", "show", "ann")
    assert "clips:   3" in shown and "mode 0600" in shown and "no recording" in shown
    assert "removed" in run("person", "remove", "ann")
    assert "nobody is stored" in run("person", "list") and stored_people() == []


def test_a_folder_is_enrolled_and_neutral_clips_count_otherwise(
    model: Path, clips: dict[str, list[Path]], tmp_path: Path
) -> None:
    folder = tmp_path / "ann"
    folder.mkdir()
    for path in clips["low"][1:]:
        shutil.copy(path, folder)
    (folder / "notes.txt").touch()
    found = predicted(model, clips["low"][0], "--enrol", folder)
    twice = predicted(model, clips["low"][0], "--enrol", folder, "--enrol", folder / "low-1.wav")
    assert found["person"]["clips"] == twice["person"]["clips"] == 3
    neutral = predicted(model, clips["low"][0], "--enrol", folder, "--enrol-neutral")
    assert neutral["scores"] != found["scores"]


def test_a_clip_asked_about_and_enrolled_is_decoded_once(
    model: Path, clips: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emollama.session.observing import Observer

    watched: list[Path] = []
    watch = Observer.watch

    def counted(self: Observer, video: Path, *more: Any, **named: Any) -> Any:
        watched.append(video)
        return watch(self, video, *more, **named)

    monkeypatch.setattr(Observer, "watch", counted)
    low = clips["low"]
    run("predict", *low, "--model", model, "--text", "", "--no-explain",
        *(word for path in low for word in ("--enrol", path)))  # fmt: skip
    assert sorted(watched) == sorted(low)


def test_somebody_else_among_them_is_warned_of(model: Path, clips: dict[str, list[Path]]) -> None:
    low, high = clips["low"], clips["high"]
    said = run("predict", low[0], "--model", model, "--text", "", "--no-explain",
               *(w for path in [*low[1:], high[0]] for w in ("--enrol", path)))  # fmt: skip
    assert f"warning: {high[0]}: the voice, or how it was recorded, differs" in said
    said = run("predict", high[0], "--model", model, "--text", "", "--no-explain",
               *(w for path in low for w in ("--enrol", path)))  # fmt: skip
    assert "note: the voice, or how it was recorded, differs" in said and "warning" not in said


def test_mistakes_are_one_line(model: Path, clips: dict[str, list[Path]], tmp_path: Path) -> None:
    clip, other = clips["low"][:2]
    ask = ("predict", clip, "--model", model)
    (tmp_path / "none").mkdir()
    for more, line in (
        (("--enrol", other, "--person", "ann"), "give --enrol or --person, not both"),
        (("--enrol-neutral",), "--enrol-neutral is about clips given by --enrol"),
        (("--save-person", "ann"), "--save-person stores the person of clips"),
        (("--person", "ann"), "no person 'ann' is stored; nobody is stored yet"),
        (("--person", "../ann"), "cannot be a person's name"),
        (("--enrol", other, "--save-person", "a/b"), "cannot be a person's name"),
        (("--enrol", tmp_path / "none"), "holds no video, sound or picture to enrol"),
        (("--enrol", tmp_path / "no.mp4"), r"no\.mp4: does not exist"),
    ):
        with pytest.raises(EmollamaError, match=line):
            run(*ask, *more)
    voice(tmp_path / "silence.wav", 0, 1.2)
    with pytest.raises(EmollamaError, match=r"silence\.wav: (cannot be enrolled|has nothing that)"):
        run(*ask, "--text", "", "--enrol", other, "--enrol", tmp_path / "silence.wav")
    run(*ask, "--text", "", "--no-explain", "--enrol", other, "--save-person", "ann")
    with pytest.raises(EmollamaError, match="'ann' is stored already"):
        run(*ask, "--enrol", other, "--save-person", "ann")
    with pytest.raises(EmollamaError, match="did you mean 'ann'"):
        run("person", "show", "anna")
    with pytest.raises(EmollamaError, match="did you mean 'ann'"):
        run("person", "remove", "ann", "anna")
    assert stored_people() == ["ann"]
    (people_folder() / "bob.safetensors").write_bytes(b"no")
    with pytest.raises(EmollamaError, match="is not a stored person"):
        run(*ask, "--person", "bob")
    assert "the file is broken" in run("person", "list")


def test_a_person_of_another_model_is_one_line(
    clips: dict[str, list[Path]], tmp_path: Path
) -> None:
    clip, other = clips["low"][:2]
    models = {name: make(tmp_path / name) for name, make in FAMILIES.items()}
    run("predict", clip, "--model", models["llm"], "--text", "", "--no-explain",
        "--enrol", other, "--save-person", "ann")  # fmt: skip
    with pytest.raises(EmollamaError, match=r"^person 'ann' was enrolled with another model"):
        run("predict", clip, "--model", models["fusion"], "--text", "", "--person", "ann")
    plain = tiny_artefact(tmp_path / "plain")
    with pytest.raises(EmollamaError, match="needs a model trained with `standardise: person`"):
        run("predict", clip, "--model", plain, "--enrol", other)


def test_a_conversation_about_a_person(clips: dict[str, list[Path]], tmp_path: Path) -> None:
    session = open_session(llm_of_people(tmp_path), "float32", describe=False)
    clip, *others = clips["low"]
    said: list[str] = []
    look = session.look(clip, "They broke it.")
    terminal = Terminal(session, clip, look, Sampling(max_new_tokens=8), said.append)

    def after(line: str) -> str:
        said.clear()
        assert terminal.line(line)
        return "".join(said)

    after(f"/enrol '{others[0]}' {others[1]}")
    assert terminal.look.person is not None and terminal.look.person.clips == 2
    after("/words It is fine.")
    assert terminal.look.person.clips == 2
    assert "error: " in after("/enrol nowhere.wav") and terminal.look.person is not None
    assert "error: " in after("/enrol 'a") and "error: " in after("/enrol")
    after("/save " + str(tmp_path / "talk.json"))
    saved = json.loads((tmp_path / "talk.json").read_text())
    assert saved["answer"]["person"]["clips"] == 2
    after("/enrol none")
    assert terminal.look.person is None


def test_the_python_of_the_page_runs(
    clips: dict[str, list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = Path(__file__).parents[2] / "docs/people.md"
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "runs/people").mkdir(parents=True)
    shutil.move(llm_of_people(tmp_path / "made"), tmp_path / "runs/people/model")
    for name, path in zip(("CLIP.mp4", "A.mp4", "B.mp4"), clips["low"], strict=False):
        shutil.copy(path, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/people.md", "exec"), {"__name__": "__main__"})
    assert "measured against 2 clips of this person" in capsys.readouterr().out
