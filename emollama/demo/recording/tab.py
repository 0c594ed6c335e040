"""The layout of the tab for recordings, and its wiring."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from emollama.demo.recording.callbacks import LONGEST_QUESTION, Recordings
from emollama.demo.recording.desk import RecordingDesk
from emollama.demo.recording.shelf import MOST_MINUTES
from emollama.recording.notice import NOTICE
from emollama.recording.result.naming import LONGEST_NAME
from emollama.session import Session

Parts = dict[str, Any]
_CLICK = "() => setTimeout(() => document.querySelector('#recording-saved').click(), 200)"


def recording_tab(
    session: Session,
    recordings: Recordings,
    keep_seconds: float,
    wire_of: Callable[[Parts], Callable[..., Any]],
) -> None:
    """Create the components of the tab, inside a `gr.Tab`, and connect them.

    Args:
        session: the model.
        recordings: the callbacks.
        keep_seconds: after which a page that is left, and its recording, are forgotten.
        wire_of: connects events of these components to callbacks (see `page`).
    """
    if not session.labels:
        told = f"The model {session.name} answers with values; recordings need a model of labels."
        gr.HTML(f"<p>{escape(told)}</p>", elem_classes=["piece"])
        return
    state = gr.State(
        RecordingDesk(), time_to_live=2 * keep_seconds, delete_callback=recordings.forget
    )
    parts: Parts = {"desk": state, "timer": gr.Timer(2.0, active=False)}
    _form(parts, session, recordings.shelf.settings.max_bytes)
    parts["state"] = gr.HTML("", elem_classes=["piece", "state"], elem_id="recording-state")
    with gr.Column(visible=False, elem_classes=["recording"]) as parts["outcome"]:
        _results(parts)
    _connect(wire_of(parts), parts, recordings)


def _form(parts: Parts, session: Session, most: int) -> None:
    gr.HTML(
        "<h1>Who shows what, and when?</h1><p>A recording of any number of people, such as an "
        "interview: who is seen and heard, what they say, and the emotion of each stretch. At most "
        f"{most / (1 << 20):g} MB and {MOST_MINUTES} minutes. It goes to the machine on which "
        "this page runs and nowhere else, and is removed an hour after its analysis, or when the "
        f"page is stopped.</p><p class='intended'>{escape(NOTICE)}</p>",
        elem_classes=["piece"],
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            parts["upload"] = gr.File(
                label="A recording: video or sound", type="filepath",
                file_types=["video", "audio"], height=130, elem_id="recording-upload",
            )  # fmt: skip
            parts["agreed"] = gr.Checkbox(
                False, label="Everybody in it has agreed", elem_id="recording-agreed"
            )
        with gr.Column(scale=1, min_width=280):
            parts["transcribe"] = gr.Checkbox(True, label="Write down what is said")
            parts["explain"] = gr.Checkbox(
                False, label="Write a reason for each segment (slower)", visible=session.writes
            )
            parts["people"] = gr.Number(
                0, label="People who speak", info="0 where you do not know", precision=0,
                elem_id="recording-people",
            )  # fmt: skip
            with gr.Row():
                parts["begin"] = gr.Button(
                    "Analyse", variant="primary", min_width=110, elem_id="recording-begin"
                )
                parts["stop"] = gr.Button(
                    "Stop", variant="stop", min_width=80, visible=False, elem_id="recording-stop"
                )


def _results(parts: Parts) -> None:
    with gr.Row(equal_height=True):
        parts["question"] = gr.Textbox(
            label="Ask for moments", placeholder="when does she get upset?", lines=1, max_lines=2,
            max_length=LONGEST_QUESTION, scale=5, min_width=220, elem_id="recording-question",
        )  # fmt: skip
        parts["ask"] = gr.Button(
            "Find", variant="primary", scale=1, min_width=90, elem_classes=["beside"]
        )
    parts["found"] = gr.HTML("", elem_classes=["piece"], elem_id="recording-found")
    with gr.Accordion("People", open=False, elem_id="recording-who"):
        with gr.Row(equal_height=True):
            parts["who"] = gr.Dropdown([], label="Person", min_width=110)
            parts["name"] = gr.Textbox(
                label="New name", lines=1, max_length=LONGEST_NAME, min_width=150
            )
            parts["rename"] = _beside("Rename", 110)
        with gr.Row(equal_height=True):
            parts["into"] = gr.Dropdown([], label="Is the same person as", min_width=150)
            parts["merge"] = _beside("Merge", 110)
            parts["undo"] = _beside("As they were found", 160)
    with gr.Row(equal_height=True):
        parts["faces"] = gr.Checkbox(
            False, label="Show the picture, with faces that can be recognised", min_width=200,
            elem_id="recording-faces",
        )  # fmt: skip
        parts["download"] = gr.Button("Download all files (zip)", size="sm", min_width=160)
    parts["report"] = gr.HTML("", elem_classes=["piece"], elem_id="recording-report")
    # Never seen (its style hides it): the browser clicks it once a file is there.
    parts["saved"] = gr.DownloadButton("Saved file", elem_id="recording-saved")


def _beside(told: str, width: int) -> gr.Button:
    """A button as high as the field that it stands beside."""
    return gr.Button(told, size="sm", scale=0, min_width=width, elem_classes=["beside"])


def _connect(wire: Callable[..., Any], parts: Parts, recordings: Recordings) -> None:
    desk = parts["desk"]
    chosen = [parts[name] for name in ("upload", "agreed", "transcribe", "explain", "people")]
    wire(parts["begin"].click, recordings.begin, [desk, *chosen], "begin_recording")
    wire(parts["timer"].tick, recordings.poll, [desk], "poll_recording", 4)
    wire(parts["stop"].click, recordings.stop, [desk], "stop_recording")
    asked = [desk, parts["question"]]
    wire(parts["ask"].click, recordings.ask, asked, "ask_recording")
    wire(parts["question"].submit, recordings.ask, asked)
    wire(parts["rename"].click, recordings.rename, [desk, parts["who"], parts["name"]], "rename")
    wire(parts["merge"].click, recordings.merge, [desk, parts["who"], parts["into"]], "merge")
    wire(parts["undo"].click, recordings.undo, [desk])
    wire(parts["faces"].input, recordings.show_faces, [desk, parts["faces"]], "show_faces")
    done = wire(parts["download"].click, recordings.download, [desk], "download_recording")
    done.success(None, None, None, js=_CLICK, api_visibility="private")
