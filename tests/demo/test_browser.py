"""A visit in a real browser, at the width of a desktop and of a phone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.server import running
from emollama.session import Session, open_session
from tests.demo.conftest import SETTINGS
from tests.session.made import tiny_artefact

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
    return open_session(tiny_artefact(tmp_path_factory.mktemp("tiny")), "float32")


@pytest.fixture
def without_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH that holds what python needs, and neither ffmpeg nor ffprobe."""
    folders = os.environ["PATH"].split(os.pathsep)
    kept = [f for f in folders if not any((Path(f) / n).exists() for n in ("ffmpeg", "ffprobe"))]
    monkeypatch.setenv("PATH", os.pathsep.join(kept) or str(tmp_path))
    assert shutil.which("ffmpeg") is None and shutil.which("ffprobe") is None


@pytest.fixture
def address(described: Session, without_ffmpeg: None) -> Iterator[str]:
    with running(described, SETTINGS, None) as found:
        yield found


def test_a_visit(address: str, clip: Path, tmp_path: Path) -> None:
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
            _visit(page, address, clip, tmp_path / str(width))
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert hosts - {""} == {urlsplit(address).netloc} and not errors
            page.close()
        browser.close()


def _visit(page: playwright.Page, address: str, clip: Path, folder: Path) -> None:
    page.goto(address)
    page.locator("#upload input[type=file]").set_input_files(clip)
    page.wait_for_selector("#carried .bars")
    assert page.locator("#answer .bars [role=listitem]").count() == 6
    assert page.locator("#timeline svg").count() >= 1  # the tone; a face there is none
    assert "No face was found" in page.inner_text("#peak")
    assert not page.locator("#saved").is_visible()
    assert page.locator("#player video").get_attribute("src")

    page.get_by_label("Words (the transcript").fill("They broke it.")
    worded = page.inner_text("#answer .bars")
    page.get_by_role("button", name="Use these words").click()
    _other(page, worded)

    page.get_by_text("How answers are written").click()
    page.get_by_label("number input for Greatest length in tokens").fill("12")
    page.get_by_role("button", name="Which emotion?").click()
    page.get_by_text("Prompt (").first.wait_for()
    page.get_by_label("Your question").fill("And why?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("Prompt (").nth(1).wait_for()
    page.get_by_text("Prompt (").nth(1).click()
    page.get_by_text("<|im_start|>").first.wait_for()  # the prompt as it is, as text

    before = page.inner_text("#answer .bars")
    page.get_by_label("Use the voice").uncheck()
    _other(page, before)
    assert "from words" in page.inner_text("#answer")

    page.get_by_text("Answered in").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON").click()
    folder.mkdir()
    download.value.save_as(folder / "visit.json")
    saved = json.loads((folder / "visit.json").read_text(encoding="utf-8"))
    assert saved["left_out"] == ["voice"]
    assert [one["question"] for one in saved["exchanges"]][1:] == ["And why?"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as case sheet").click()
    download.value.save_as(folder / "sheet.html")
    assert "And why?" in (folder / "sheet.html").read_text(encoding="utf-8")


def _other(page: playwright.Page, before: str) -> None:
    """Wait until the bars are others."""
    page.wait_for_function(
        "before => document.querySelector('#answer .bars').innerText !== before", arg=before
    )
