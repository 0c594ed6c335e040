"""The layout of the page. Events are connected in `page`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
from gradio.themes import Base as BaseTheme
from gradio.themes.utils.fonts import Font

from emollama.demo.desk import Desk
from emollama.demo.examples import Example
from emollama.demo.intro import about, intro, limits
from emollama.demo.visit import LONGEST_QUESTION, LONGEST_WORDS
from emollama.media.suffixes import MEDIA
from emollama.serving.settings import Settings
from emollama.session import Sampling, Session

KEEP_SECONDS = 3600
"""Seconds after which uploads and visits are removed."""
CONSENT = (
    "Record yourself, or others who have agreed to it. The recording goes to the machine on which "
    "this page runs and nowhere else, and is removed after an hour, or when the page is stopped."
)
PERSON = (
    "Only clips of a person who has agreed. They are removed after an hour; the page stores nobody."
)
EXAMPLES = (
    "Or an example: drawn faces and synthetic voices, made on this machine. They say nothing about "
    "real people."
)
REWORDED = "The answer is about the words before this change: use these words to ask again."
CLIPS = ["video", "audio", "image", *sorted(MEDIA)]
"""Kinds of files, and suffixes of which browsers do not know the kind."""

Parts = dict[str, Any]
"""Components by name. A name ending in "_part" is a group that appears once there is a clip."""


def theme() -> BaseTheme:
    """Gradio's plain theme with system fonts, so that no font is loaded."""
    plain = (Font("system-ui"), Font("sans-serif"))
    mono = (Font("ui-monospace"), Font("monospace"))
    base = BaseTheme(font=plain, font_mono=mono, primary_hue="blue", radius_size="sm")
    # The plain theme's greys are too pale to be read by everybody.
    found: BaseTheme = base.set(
        block_info_text_color="*neutral_700", block_info_text_color_dark="*neutral_200",
        block_label_text_color="*neutral_700", block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800", block_title_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_700", body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_600", input_placeholder_color_dark="*neutral_300",
    )  # fmt: skip
    return found


def lay_out(
    session: Session,
    label_sets: Sequence[str],
    examples: Sequence[Example],
    no_examples: str | None,
    settings: Settings,
    people: Sequence[str] = (),
) -> Parts:
    """Create all components, inside a `gr.Blocks`.

    Args:
        session: the model.
        label_sets: label sets to choose from, the model's own first.
        examples: clips to choose from.
        no_examples: why there are none; None if there are.
        settings: limits.
        people: names of stored people to choose from, after the choice of nobody.
    """
    parts: Parts = {"desk": gr.State(Desk(), time_to_live=KEEP_SECONDS)}
    gr.HTML(intro(session) + about(session), elem_classes=["piece"])
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            _sources(parts, session, settings)
        with gr.Column(scale=1, min_width=300):
            _examples(parts, examples, no_examples)
            if session.person_channels:
                _person(parts, session, people)
    _line(parts, "clip")
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            parts["reading"] = gr.HTML("", elem_classes=["piece"], elem_id="reading")
            _clip(parts, session)
        with gr.Column(scale=1, min_width=300, visible=False) as parts["answer_part"]:
            _answer(parts, session, label_sets)
    _evidence(parts)
    if session.writes:
        _chat(parts)
    _saving(parts)
    return parts


def _line(parts: Parts, place: str) -> None:
    """The line beside some controls that says what they do, or what was wrong."""
    parts[f"state_{place}"] = gr.HTML("", elem_classes=["piece", "state"], elem_id=f"state-{place}")


def _sources(parts: Parts, session: Session, settings: Settings) -> None:
    with gr.Tabs():
        with gr.Tab("Upload"):
            parts["upload"] = gr.File(
                label="A clip: video, sound or picture" if "face" in session.channels
                else "A clip: video or sound", type="filepath", file_types=CLIPS,
                height=130, elem_id="upload",
            )  # fmt: skip
            gr.HTML(limits(settings, session), elem_classes=["piece"])
        with gr.Tab("Record"):
            gr.HTML(f'<p class="intended">{CONSENT}</p>', elem_classes=["piece"])
            parts["agreed"] = gr.Checkbox(
                False, label="Everybody recorded has agreed", elem_id="agreed"
            )
            # Not mirrored: turning the picture round would need ffmpeg.
            parts["camera"] = gr.Video(
                label="Webcam and microphone", sources=["webcam"], include_audio=True,
                webcam_options=gr.WebcamOptions(mirror=False), visible=False, elem_id="camera",
            )  # fmt: skip
    with gr.Accordion("Only a part of the clip", open=False, elem_id="part"):
        with gr.Row():
            parts["start"] = gr.Number(
                None, label="From (s)", minimum=0, min_width=90, elem_id="start"
            )
            parts["end"] = gr.Number(None, label="To (s)", minimum=0, min_width=90, elem_id="end")
        parts["part"] = gr.Button("Read this part", size="sm")


def _examples(parts: Parts, examples: Sequence[Example], no_examples: str | None) -> None:
    why = EXAMPLES if no_examples is None else f"No examples: {no_examples}"
    gr.HTML(f"<p class='small'>{escape(why)}</p>", elem_classes=["piece"])
    with gr.Row(elem_id="examples", visible=bool(examples)):
        parts["examples"] = [
            gr.Button(one.title, icon=str(one.thumbnail), size="sm", min_width=90)
            for one in examples
        ]


def _person(parts: Parts, session: Session, people: Sequence[str]) -> None:
    with gr.Accordion("The person", open=False, elem_id="the-person"):
        measured = " and ".join(dict.fromkeys(session.person_channels.values()))
        gr.HTML(
            f"<p>Other clips of the same person, of any emotion, show what is usual for their "
            f"{escape(measured)}. {PERSON}</p>",
            elem_classes=["piece", "small"],
        )
        parts["enrolled"] = gr.File(
            label="Other clips of the person", type="filepath", file_count="multiple",
            file_types=CLIPS, height=110, elem_id="enrolled",
        )  # fmt: skip
        parts["neutral"] = gr.Checkbox(False, label="All of them are neutral", elem_id="neutral")
        with gr.Row():
            parts["enrol"] = gr.Button("Measure against these", size="sm", min_width=150)
            parts["nobody"] = gr.Button("Forget the person", size="sm", min_width=130)
        if len(people) > 1:
            parts["stored"] = gr.Dropdown(
                list(people), value=people[0], label="Or a stored person", elem_id="stored"
            )
        _line(parts, "person")
        parts["person"] = gr.HTML("", elem_classes=["piece"], elem_id="person")


def _clip(parts: Parts, session: Session) -> None:
    goes = "words" in session.channels
    with gr.Column(visible=False, elem_id="clip") as parts["clip_part"]:
        parts["player"] = gr.HTML("", elem_classes=["piece"], elem_id="player")
        parts["words"] = gr.Textbox(
            label="Words (the transcript, which you may correct"
            f"{'' if goes else '; the answer does not go by it'})",
            lines=2, max_lines=6, max_length=LONGEST_WORDS, elem_id="words",
        )  # fmt: skip
        if goes:
            gr.HTML(f"<p role='status' class='small'>{REWORDED}</p>", elem_id="reworded",
                    elem_classes=["piece"])  # fmt: skip
        parts["reword"] = gr.Button("Use these words", size="sm")
        _line(parts, "words")


def _answer(parts: Parts, session: Session, label_sets: Sequence[str]) -> None:
    gr.HTML("<h2>Answer</h2>", elem_classes=["piece"])
    parts["answer"] = gr.HTML("", elem_classes=["piece"], elem_id="answer")
    # A model's only channel cannot be left out.
    with gr.Group(visible=len(session.channels) > 1), gr.Row():
        for channel in session.channels:
            parts[f"use_{channel}"] = gr.Checkbox(
                True, label=f"Use the {channel}", min_width=110, elem_id=f"use-{channel}"
            )
    parts["labels"] = gr.Dropdown(
        list(label_sets), value=label_sets[0], label="Labels to choose from",
        info="A label set, or your own words separated by commas", allow_custom_value=True,
        visible=bool(session.labels), elem_id="labels",
    )  # fmt: skip
    _line(parts, "answer")
    gr.HTML("<h2>Share of each channel</h2>", elem_classes=["piece"])
    parts["carried"] = gr.HTML("", elem_classes=["piece"], elem_id="carried")
    parts["notes"] = gr.HTML("", elem_classes=["piece", "small"], elem_id="notes")


def _evidence(parts: Parts) -> None:
    with gr.Row(visible=False, equal_height=False) as parts["evidence_part"]:
        with gr.Column(scale=1, min_width=280):
            gr.HTML("<h2>Peak frame</h2>", elem_classes=["piece"])
            parts["peak"] = gr.HTML("", elem_classes=["piece"], elem_id="peak")
            parts["which_face"] = gr.Radio(
                [], label="Which face is read, from the left", type="index", visible=False,
                elem_id="which-face",
            )  # fmt: skip
            _line(parts, "faces")
        with gr.Column(scale=2, min_width=300):
            gr.HTML("<h2>Over time</h2>", elem_classes=["piece"])
            parts["timeline"] = gr.HTML("", elem_classes=["piece"], elem_id="timeline")


def _chat(parts: Parts) -> None:
    usual = Sampling()
    with gr.Column(visible=False) as parts["chat_part"]:
        gr.HTML("<h2>Ask about the clip</h2>", elem_classes=["piece"])
        parts["chat"] = gr.Chatbot(
            label="Conversation", height=380, render_markdown=False, latex_delimiters=[],
            buttons=[], allow_tags=False, elem_id="chat",
            placeholder="Ask which emotion it is, why, which channel the answer rests on, what is "
            "said, or what was measured.",
        )  # fmt: skip
        with gr.Row():
            parts["emotion"] = gr.Button("Which emotion?", size="sm", min_width=130)
            parts["reason"] = gr.Button("How do you know?", size="sm", min_width=130)
        with gr.Row(equal_height=True):
            parts["question"] = gr.Textbox(
                label="Your question", lines=1, max_lines=5, max_length=LONGEST_QUESTION, scale=5,
                min_width=220, elem_id="question",
            )  # fmt: skip
            parts["ask"] = gr.Button(
                "Ask", variant="primary", scale=1, min_width=90, elem_classes=["beside"]
            )
        _line(parts, "chat")
        with gr.Row():
            parts["stop"] = gr.Button("Stop", size="sm", variant="stop", min_width=70)
            parts["retry"] = gr.Button("Retry", size="sm", min_width=70)
            parts["forget"] = gr.Button("New conversation", size="sm", min_width=130)
        with gr.Accordion("How answers are written", open=False):
            parts["temperature"] = gr.Slider(
                0, 2, value=usual.temperature, step=0.05, label="Temperature",
                info="0 always takes the most likely token",
            )  # fmt: skip
            parts["top_p"] = gr.Slider(
                0.05, 1, value=usual.top_p, step=0.05, label="Top-p",
                info="tokens are drawn from the most likely ones that add up to this probability",
            )  # fmt: skip
            parts["length"] = gr.Slider(
                8, 512, value=usual.max_new_tokens, step=8, label="Maximum length in tokens"
            )


def _saving(parts: Parts) -> None:
    with gr.Column(visible=False) as parts["saving_part"]:
        with gr.Row():
            parts["save_json"] = gr.Button("Save as JSON", size="sm", min_width=130)
            parts["save_sheet"] = gr.Button("Save as case sheet (HTML)", size="sm", min_width=180)
            # Never seen (its style hides it): the browser clicks it once a file is there.
            parts["saved"] = gr.DownloadButton("Saved file", elem_id="saved")
        _line(parts, "saving")
