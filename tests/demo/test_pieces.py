"""What is drawn says what was measured, and text of a stranger stays text."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from emollama.demo.bars import answer_bars, carried, headline
from emollama.demo.peak import boxed, peak_figure
from emollama.demo.player import player, web_vtt
from emollama.demo.saving import case_sheet
from emollama.demo.timeline import lanes
from emollama.demo.visit import Exchange
from emollama.session import Answer, Frames, Sampling, Session, Weights
from tests.demo.made import NASTY, look, observation, visit


def answer(**more: object) -> Answer:
    plain = {
        "label": "sad", "scores": {"happy": 0.25, "sad": 0.75}, "channels": ("voice",), "clues": {},
        "text": None, "reason": None, "notes": (), "seconds": 0.1,
    }  # fmt: skip
    return Answer(**(plain | more))  # type: ignore[arg-type]


class Tags(HTMLParser):
    """All tags with their attributes, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_bars_are_as_long_as_the_probabilities_the_likeliest_first() -> None:
    html = answer_bars(answer())
    widths = re.findall(r"width:([\d.]+)%", html)
    assert widths == ["75.0", "25.0"]
    assert html.index("sad") < html.index("happy")
    assert headline(answer()) == "sad (75 %)"


def test_several_labels_none_and_values_have_headlines() -> None:
    assert headline(answer(label=None, labels=("happy", "sad"))) == "happy, sad"
    assert headline(answer(label=None, labels=())) == "none of the labels"
    values = answer(label=None, scores={}, values={"valence": -0.25, "arousal": 0.5})
    assert headline(values) == "valence -0.25, arousal +0.50"
    assert "-0.250" in answer_bars(values)


def test_a_channel_that_spoke_against_is_drawn_to_the_left() -> None:
    html = carried(Weights("sad", 0.75, 0.15, {"voice": 0.8, "face": -0.2}))
    assert "The voice contributed most" in html and "+80.0 points" in html and "-20.0" in html
    voice, face = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html)
    assert voice == ("50.0", "40.0") and face == ("40.0", "10.0")  # of 100 points to each side
    nobody = carried(Weights("sad", 0.1, 0.15, {"voice": -0.05}))
    assert "No channel supported sad" in nobody


def test_the_peak_frame_is_framed_where_the_face_is() -> None:
    figure = peak_figure(look())
    assert "0.2 s: face looks happy (happy 70 %" in figure and "2 faces" in figure
    peak = observation().peak
    assert peak is not None
    drawn = np.asarray(Image.open(io.BytesIO(boxed(peak))), np.int16)
    changed = np.abs(drawn - 90).max(-1) > 60
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert abs(rows[0] - 10) <= 2 and abs(rows[-1] - 55) <= 2
    assert abs(columns[0] - 20) <= 2 and abs(columns[-1] - 50) <= 2


def test_the_timeline_leaves_gaps_where_nothing_is_known() -> None:
    frames = Frames((0.5, 1.5), {"valence": (0.1, -0.2), "arousal": (float("nan"), 0.3)})
    html = lanes(look(), frames)
    columns = {round(float(x)) for x in re.findall(r'<rect x="([\d.]+)"', html)}
    assert columns == {0, 500, 750}  # the look at 0.75 s found no face
    assert "Sound level" in html and "-60 to -20 dB" in html and "110 to 130 Hz" in html
    assert "valence and arousal" in html
    assert "nan" not in html.lower()


def test_subtitles_come_at_their_times_and_hold_no_markup() -> None:
    heard = web_vtt(look("Well. " + NASTY, given=False))
    assert "00:00:00.200 --> 00:00:00.900\nWell." in heard
    given = web_vtt(look())
    for vtt in (heard, given):
        assert "<" not in vtt
        assert all("&gt;" not in line for line in vtt.splitlines() if re.match(r"\d\d:", line))
        assert vtt.count(" --> ") == len(re.findall(r"^\d\d:\d\d:\d\d\.\d{3} --> ", vtt, re.M))
    html = player(visit().source, look(None))
    assert "<track" not in html


def test_the_case_sheet_needs_nothing_beside_itself(session: Session) -> None:
    seen = visit()
    seen.weights = Weights("sad", 0.75, 0.15, {"voice": 0.8, "face": -0.2})
    seen.exchanges = [Exchange(NASTY, NASTY, Sampling(), ("voice",), NASTY, "stop")]
    found = Tags(case_sheet(session, seen, answer(clues={"voice": NASTY})))
    assert not {"script", "link", "iframe", "b>"} & {tag for tag, _ in found.tags}
    for _, attributes in found.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert found.text.count(NASTY) >= 5  # words, clue, question, answer, prompt: all as text
    (image,) = (a["src"] for tag, a in found.tags if tag == "img")
    assert image is not None and base64.b64decode(image.split(",")[1])[:2] == b"\xff\xd8"


def test_a_set_of_labels_is_one_line_under_the_bars() -> None:
    said = Tags(answer_bars(answer(coverage=0.9, label_set=("sad",)))).text
    assert "90% coverage: sad" in said
    both = answer(coverage=0.95, label_set=("sad", "happy"))
    assert "95% coverage: cannot tell: sad or happy" in Tags(answer_bars(both)).text
