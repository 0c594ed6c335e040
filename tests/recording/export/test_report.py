"""report.html: what it holds, what it hides, and how it behaves in a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emollama.recording.export import write_all
from emollama.recording.export.report.colours import label_colours
from emollama.recording.export.report.lanes import thinned
from emollama.recording.export.report.page import page
from emollama.recording.export.report.thumbnails import BLURRED, blurred, thumbnails
from emollama.recording.parts import FACE_RATE, Analysis, Segment, SegmentAnswer
from tests.media.recording import record
from tests.recording.export.made import LABELS, NASTY, STEM, analysis, segment, timeline

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)  # fmt: skip


class Seen(HTMLParser):
    """Elements, attributes and text as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def made(tmp_path: Path) -> Analysis:
    """An analysis of a recording that exists and plays."""
    path = record(tmp_path / f"{STEM}.mp4", seconds=20, size=(320, 180), fps=4)
    return analysis(path)


def test_words_and_names_are_text_everywhere(made: Analysis) -> None:
    odd = replace(made, recording=Path(f"/x/{NASTY.replace('/', '')}'.mp4"))
    text = page(odd, "x%22.mp4", {})
    seen = Seen(text)
    names = [tag for tag, _ in seen.tags]
    # The page's own <b> have no nasty text in them; its one script ends where it should.
    assert names.count("script") == 1 and text.count("</script>") == 1
    assert not {"talk", "no"} & set(names)
    assert f"{NASTY} & --> so" in seen.words and any(NASTY in w for w in seen.words if "He" in w)
    assert not any(name.startswith("on") or name == "style" for _, a in seen.tags for name in a)


def test_nothing_is_fetched_and_only_its_own_script_runs(made: Analysis) -> None:
    text = page(made, "../talk.mp4", {"A": b"png"})
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    policy = next(a["content"] or "" for _, a in Seen(text).tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; media-src 'self' file:;")
    for tag in ("style", "script"):
        own = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert own is not None
        digest = base64.b64encode(hashlib.sha256(own[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "consent" in text and "Article 5(1)(f)" in text


def test_faces_are_blurred_in_the_pixels_unless_they_may_be_shown(
    made: Analysis, tmp_path: Path
) -> None:
    write_all(made, tmp_path / "out", ["html"])
    hidden = (tmp_path / "out/report.html").read_text()
    assert "<audio" in hidden and "<video" not in hidden and "--show-faces" in hidden
    coded = re.search(r'alt="A: face, blurred" src="data:image/png;base64,([^"]+)"', hidden)
    assert coded is not None
    assert steepest(coded[1]) < 30
    write_all(made, tmp_path / "out", ["html"], show_faces=True)
    shown = (tmp_path / "out/report.html").read_text()
    clear = re.search(r'alt="A: face" src="data:image/png;base64,([^"]+)"', shown)
    assert "<video" in shown and clear is not None and steepest(clear[1]) > 100


def steepest(coded: str) -> int:
    """The largest step between neighbouring pixels, of a recording with a hard edge in it."""
    face = np.asarray(Image.open(io.BytesIO(base64.b64decode(coded)))).astype(int)
    return int(np.abs(np.diff(face, axis=0)).max())


def test_a_blurred_face_holds_no_more_than_its_few_colours() -> None:
    random = np.random.default_rng(0)
    one = random.integers(0, 255, (120, 120, 3), dtype=np.uint8)
    # The same means, everything else different: nothing of it may come through.
    side = 120 // BLURRED
    other = one.reshape(BLURRED, side, BLURRED, side, 3)[:, ::-1, :, ::-1].reshape(one.shape)
    assert not np.array_equal(one, other) and np.array_equal(blurred(one), blurred(other))


def test_a_recording_that_is_gone_has_no_thumbnails(tmp_path: Path) -> None:
    assert thumbnails(analysis(tmp_path / "gone.mp4"), False) == {}


def test_curves_are_thinned_to_means_and_gaps_stay() -> None:
    values = np.arange(20, dtype=np.float32)
    values[8:12] = np.nan
    times = np.arange(20) / FACE_RATE
    assert thinned(values, times, 4.0, 5).tolist()[:2] == [1.5, 5.5]
    assert np.isnan(thinned(values, times, 4.0, 5)[2])
    # As many stretches as rows, of a recording somewhat longer than the timeline: no false gaps.
    times = np.arange(750) / FACE_RATE
    assert np.isfinite(thinned(np.ones(750), times, 150.07, 1500)).all()


def test_an_hour_stays_small(tmp_path: Path) -> None:
    hour = 3600.0
    segments: list[Segment] = []
    for i in range(700):
        segments.append(segment("ABC"[i % 3], i * 5.0, i * 5 + 4.9, "so it goes and goes on " * 3))
    answer = SegmentAnswer("sad", {"sad": 1.0}, reason="The voice is low and slow. " * 12)
    made = replace(
        analysis(tmp_path / "gone.mp4"), duration=hour, segments=tuple(segments),
        answers=(answer,) * 700, timelines={p: timeline(hour, i) for i, p in enumerate("ABC")},
    )  # fmt: skip
    assert len(page(made, "gone.mp4", {})) < 2_000_000


def test_basic_emotions_have_the_colours_of_expressions() -> None:
    colours = label_colours(LABELS)
    assert list(colours) == list(LABELS) and len(set(colours.values())) == len(LABELS)
    assert label_colours(["anger"])["anger"] == colours["angry"]


def until(view: Any, condition: str) -> None:
    """Wait; the page's policy keeps playwright's own way of waiting out."""
    for _ in range(600):
        if view.evaluate(condition):
            return
        view.wait_for_timeout(50)
    raise AssertionError(condition)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
@pytest.mark.parametrize("width", [1280, 360])
def test_in_a_browser(made: Analysis, tmp_path: Path, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    write_all(made, tmp_path / "out", ["html"])
    address = (tmp_path / "out/report.html").as_uri()
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": width, "height": 740})
        fetched: list[str] = []
        errors: list[str] = []
        view.on("request", lambda r: fetched.append(r.url))
        view.on("console", lambda m: m.type in ("error", "warning") and errors.append(m.text))
        view.on("pageerror", lambda e: errors.append(str(e)))
        view.goto(address)
        media = "document.getElementById('media')"
        until(view, f"{media}.readyState > 0")
        assert view.evaluate("document.documentElement.scrollWidth") <= width

        view.locator("#transcript [data-seek]").nth(2).click()  # A at 7.5 s
        assert view.evaluate(f"{media}.currentTime") == 7.5
        assert view.inner_text("#transcript li.now .said") == "but why"
        assert view.evaluate("document.getElementById('playhead').style.left") == "37.5%"
        silent = view.locator("#transcript li.listens")
        assert silent.count() == 1 and not silent.is_visible()
        view.keyboard.press("p")
        assert view.evaluate(f"{media}.currentTime") == 4.0  # the conflict before
        view.keyboard.press("ArrowRight")
        assert view.evaluate(f"{media}.currentTime") == 9.0
        lane = view.locator("svg.labels").first
        lane.scroll_into_view_if_needed()
        lane.click(position={"x": lane.bounding_box()["width"] / 2, "y": 14}, force=True)
        assert view.evaluate(f"{media}.currentTime") == pytest.approx(10, abs=0.1)
        view.get_by_label("also who listens").check()
        assert silent.is_visible()
        view.locator("#play").click()
        until(view, f"{media}.currentTime > 10.3")
        view.locator("#play").click()

        own = {url for url in fetched if not url.startswith("data:")}
        assert own == {address, made.recording.as_uri().replace("'", "%27")} and not errors
        made.recording.unlink()
        view.reload()
        view.locator("#silent").wait_for()
        assert view.locator("#play").is_disabled()
        view.locator("#transcript [data-seek]").nth(2).click()
        assert view.inner_text("#clock") == "0:07"
        browser.close()
