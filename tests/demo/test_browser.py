"""A visit in a real browser, at the width of a desktop and of a phone."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emollama.demo import conversation
from emollama.demo.server import running
from emollama.session import Session, open_session
from tests.demo.conftest import SETTINGS
from tests.demo.made import faces, seeing
from tests.media.recording import record

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser test needs playwright: pip install playwright"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)  # fmt: skip
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"
)
PATIENCE = 240_000  # ms; a machine may be busy


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_session(seeing(tmp_path_factory.mktemp("tiny")), "float32")


@pytest.fixture
def without_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH that holds what python needs, and neither ffmpeg nor ffprobe."""
    folders = os.environ["PATH"].split(os.pathsep)
    kept = [f for f in folders if not any((Path(f) / n).exists() for n in ("ffmpeg", "ffprobe"))]
    monkeypatch.setenv("PATH", os.pathsep.join(kept) or str(tmp_path))
    assert shutil.which("ffmpeg") is None and shutil.which("ffprobe") is None


@pytest.fixture
def address(described: Session, without_ffmpeg: None) -> Iterator[str]:
    with running(described, replace(SETTINGS, max_seconds=90), None) as found:
        yield found


def test_a_visit(address: str, clip: Path, tmp_path: Path) -> None:
    long = shutil.copy(clip, tmp_path / f"{'a_long_name_' * 12}.mp4")
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, height in ((1280, 900), (360, 740)):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(PATIENCE)
            hosts: set[str] = set()
            errors: list[str] = []
            page.on("request", lambda r, hosts=hosts: hosts.add(urlsplit(r.url).netloc))
            page.on("console", lambda m, errors=errors: m.type == "error" and errors.append(m.text))
            page.on("pageerror", lambda e, errors=errors: errors.append(str(e)))
            _visit(page, address, long, tmp_path / str(width))
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.goto((tmp_path / str(width) / "sheet.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert hosts - {""} == {urlsplit(address).netloc} and not errors
            page.close()
        browser.close()


def _visit(page: playwright.Page, address: str, clip: Path, folder: Path) -> None:
    _opened(page, address, clip)
    assert page.locator("#answer .bars [role=listitem]").count() == 6
    assert page.locator("#timeline svg").count() >= 1  # the tone; a face there is none
    assert "No frame to show: no face" in page.inner_text("#peak")
    assert not page.locator("#saved").is_visible()
    assert page.locator("#player video").get_attribute("src")

    page.get_by_label("Words (the transcript").fill("They broke it.")
    page.locator("#reworded").wait_for()
    assert page.locator("#answer").evaluate("one => getComputedStyle(one).opacity") < "1"
    worded = page.inner_text("#answer .bars")
    page.get_by_role("button", name="Use these words").click()
    _other(page, worded)
    assert not page.locator("#reworded").is_visible()

    page.get_by_text("How answers are written").click()
    page.get_by_label("number input for Maximum length in tokens").fill("12")
    page.get_by_role("button", name="Which emotion?").click()
    page.get_by_text("How this was made").first.wait_for()
    page.get_by_label("Your question").fill("Which emotion now?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("How this was made").nth(1).wait_for()
    page.get_by_text("How this was made").nth(1).click()
    page.get_by_text("<|im_start|>").first.wait_for()  # the prompt as it is, as text

    before = page.inner_text("#answer .bars")
    page.get_by_label("Use the voice").uncheck()
    _other(page, before)
    assert "from words" in page.inner_text("#answer")

    page.locator("#state-answer", has_text="Answered in").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON").click()
    folder.mkdir()
    download.value.save_as(folder / "visit.json")
    saved = json.loads((folder / "visit.json").read_text(encoding="utf-8"))
    assert saved["left_out"] == ["voice"]
    assert [one["question"] for one in saved["exchanges"]][1:] == ["Which emotion now?"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as case sheet").click()
    download.value.save_as(folder / "sheet.html")
    assert "Which emotion now?" in (folder / "sheet.html").read_text(encoding="utf-8")


def test_awkward_clips_and_an_answer_that_is_stopped(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = {
        "two.mp4": faces(tmp_path / "two.mp4", 4, 9),
        "mute.mp4": faces(tmp_path / "mute.mp4", 4, sound=False),
        "long.mp4": record(tmp_path / "long.mp4", seconds=63, fps=4, voice=True),
    }
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        shown = {name: _opened(page, address, path) for name, path in clips.items()}
        assert "2 faces; the framed one, number 2 from the left, is" in shown["two.mp4"]
        assert "from voice, face" in shown["two.mp4"]
        assert "no voice in this clip" in shown["mute.mp4"]
        assert "no sound track" in shown["mute.mp4"] and "from face" in shown["mute.mp4"]
        assert "No frame to show: no face" in shown["long.mp4"] and "60.0 s" in shown["long.mp4"]
        assert "from voice" in shown["long.mp4"] and "60 s" in shown["long.mp4"]

        # Slow enough that there is something to be stopped.
        messages = conversation.messages
        monkeypatch.setattr(
            conversation, "messages", lambda visit: (time.sleep(0.1), messages(visit))[1]
        )
        page.get_by_text("How answers are written").click()
        length = page.get_by_label("number input for Maximum length in tokens")
        length.fill("512")
        page.get_by_label("Your question").fill("What does she feel?")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator("#state-chat", has_text="Writing").wait_for()
        page.get_by_role("button", name="Stop", exact=True).click()
        _how_it_was_made(page, "; stopped")
        length.fill("8")
        page.get_by_role("button", name="Retry", exact=True).click()
        page.locator("#state-chat", has_text="Writing").wait_for()
        _how_it_was_made(page, "8 tokens written in")
        assert page.locator("#chat [data-testid=user]").count() == 1

        # An answer about a clip that is shown no longer leaves nothing behind.
        length.fill("512")
        page.get_by_role("button", name="Retry", exact=True).click()
        page.locator("#state-chat", has_text="Writing").wait_for()
        page.get_by_text("Only a part of the clip").click()
        page.get_by_label("To (s)").fill("1")
        page.get_by_role("button", name="Read this part").click()
        page.locator("#chat [data-testid=user]").wait_for(state="detached")
        page.locator("#state-clip", has_text="Answered in").wait_for()
        page.wait_for_timeout(1000)
        assert page.locator("#chat [data-testid=user]").count() == 0
        browser.close()


def _how_it_was_made(page: playwright.Page, words: str) -> None:
    """Wait until an answer has ended, and unfold how it was made."""
    page.locator("#state-chat", has_text="Answered in").wait_for()
    told = page.locator("#chat").get_by_text(words)
    if not told.count():
        page.get_by_text("How this was made").click()
    told.first.wait_for()


def test_one_face_of_several_is_chosen_and_a_server_that_is_gone_is_told(
    described: Session, tmp_path: Path
) -> None:
    clip = faces(tmp_path / "two.mp4", 4, 9)
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        with running(described, SETTINGS, None) as address:
            _opened(page, address, clip)
            assert page.get_by_label("2", exact=True).is_checked()
            page.get_by_label("1", exact=True).check()
            page.locator("#reading .title").wait_for()  # it is shown while it is read
            page.locator("#state-faces", has_text="Answered in").wait_for()
            assert page.get_by_label("1", exact=True).is_checked()
            assert "2 faces" not in page.inner_text("#peak")
        page.locator("#server-gone", has_text="reload this page").wait_for()
        browser.close()


_STOP = """() => {
  const here = document.activeElement;
  const ringed = (one) => one !== null && getComputedStyle(one).outlineStyle !== "none";
  const name = here.ariaLabel || here.innerText || here.labels?.[0]?.innerText || "";
  return here === document.body ? null
    : [here.tagName, name, ringed(here) || ringed(here.closest("label"))];
}"""


def test_by_keyboard_every_control_is_reached_and_seen(address: str, clip: Path) -> None:
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        _opened(page, address, clip)
        names, unseen = [], []
        page.keyboard.press("Tab")
        while (stop := page.evaluate(_STOP)) is not None and len(names) < 99:
            tag, name, ringed = stop
            names.append(name)
            if not ringed and tag != "VIDEO":  # whose own buttons are the browser's
                unseen.append(name)
            page.wait_for_timeout(50)
            page.keyboard.press("Tab")
        assert not unseen
        assert [one for one in names if "Labels" in one or "case sheet" in one][1:], names
        assert not page.locator(".option-list").is_visible()  # the list of labels was left, too
        browser.close()


def _opened(page: playwright.Page, address: str, clip: Path) -> str:
    """Open the page and choose a clip; returns what the page then says."""
    page.goto(address)
    page.locator("#upload input[type=file]").set_input_files(clip)
    try:
        page.wait_for_function(
            "name => document.querySelector('#player video')?.src.includes(name)"
            " && document.querySelector('#state-clip').innerText.includes('Answered')"
            " && document.querySelector('#carried .bars')", arg=clip.name,
        )  # fmt: skip
    except playwright.TimeoutError:
        pytest.fail(f"no answer; the page says: {page.inner_text('body')}")
    return " ".join(page.inner_text(f"#{part}") for part in ("answer", "notes", "peak", "timeline"))


def _other(page: playwright.Page, before: str) -> None:
    """Wait until the bars are others."""
    page.wait_for_function(
        "before => document.querySelector('#answer .bars').innerText !== before", arg=before
    )
