"""Builds the page: connects components to callbacks and shows their changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gradio as gr

from emollama.demo.callbacks import Callbacks
from emollama.demo.conversation import Conversation
from emollama.demo.examples import Example
from emollama.demo.gate import NO_FETCHING, names_address
from emollama.demo.layout import KEEP_SECONDS, Parts, lay_out
from emollama.demo.people import NOBODY, People
from emollama.demo.recording.callbacks import Recordings
from emollama.demo.recording.tab import recording_tab
from emollama.demo.status import Changes

_AT_ONCE = 4  # events of a kind that run side by side, for different visitors
_CLICK_SAVED = "() => setTimeout(() => document.querySelector('#saved').click(), 200)"
_CHANGED = (
    "desk", "reading", "player", "words", "answer", "carried", "notes", "peak", "which_face",
    "timeline", "chat", "question", "saved", "person", "stored",
)  # fmt: skip
_SHOWN = ("clip_part", "answer_part", "evidence_part", "chat_part", "saving_part")


def build(
    callbacks: Callbacks,
    no_examples: str | None,
    people: Sequence[str] = (),
    recordings: Recordings | None = None,
) -> gr.Blocks:
    """Build the page.

    Args:
        callbacks: of the page.
        no_examples: why there are none; None if there are.
        people: names of the stored people that visitors may choose.
        recordings: callbacks of the tab for recordings; without them there is none.
    """
    session = callbacks.session
    page = _Page(
        title="emollama",
        analytics_enabled=False,
        delete_cache=(KEEP_SECONDS // 6, KEEP_SECONDS),
    )
    with page, gr.Tabs():
        with gr.Tab("A clip"):
            _clip_tab(page, callbacks, no_examples, people)
        if recordings is not None:
            with gr.Tab("A recording"):
                recording_tab(session, recordings, KEEP_SECONDS, lambda parts: _Wire(parts, parts))
    # Enough may wait that a class can use the page, and no more.
    page.queue(max_size=64)
    return page


def _clip_tab(
    page: gr.Blocks, callbacks: Callbacks, no_examples: str | None, people: Sequence[str]
) -> None:
    session, examples = callbacks.session, list(callbacks.examples.values())
    labels = list(callbacks.label_sets)
    parts = lay_out(
        session, labels, examples, no_examples, callbacks.decoders.settings, [NOBODY, *people]
    )
    wire = _Wire(parts)
    _wire_clip(wire, parts, callbacks, examples)
    wire(page.load, callbacks.greet, [parts["desk"]], place="clip")
    if session.writes:
        _wire_chat(wire, parts, Conversation(session))
    if "enrol" in parts:
        _wire_person(wire, parts, People(callbacks, people))
    _wire_saving(wire, parts, callbacks)


def _wire_clip(
    wire: _Wire, parts: Parts, callbacks: Callbacks, examples: Sequence[Example]
) -> None:
    desk, labels = parts["desk"], parts["labels"]
    parts["agreed"].change(
        lambda agreed: gr.update(visible=agreed), parts["agreed"], parts["camera"],
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    wire(
        parts["upload"].upload,
        callbacks.open,
        [desk, parts["upload"], labels],
        "open",
        place="clip",
    )
    wire(parts["camera"].change, callbacks.open, [desk, parts["camera"], labels], place="clip")
    for button, example in zip(parts["examples"], examples, strict=True):
        wire(button.click, _opening(callbacks, example), [desk, labels], place="clip")
    span = [desk, parts["start"], parts["end"], labels]
    wire(parts["part"].click, callbacks.part, span, "part", place="clip")
    chosen = [desk, parts["which_face"], labels]
    wire(parts["which_face"].input, callbacks.choose_face, chosen, "choose_face", place="faces")
    for event, name in ((parts["reword"].click, "reword"), (parts["words"].submit, None)):
        wire(event, callbacks.reword, [desk, parts["words"]], name, place="words")
    wire(labels.input, callbacks.relabel, [desk, labels], "relabel", place="answer")
    switches = [parts[f"use_{channel}"] for channel in callbacks.session.channels]
    for i, switch in enumerate(switches):
        wire(switch.input, callbacks.use, [desk, *switches], None if i else "use", place="answer")


def _wire_chat(wire: _Wire, parts: Parts, talk: Conversation) -> None:
    desk = parts["desk"]
    how = [parts["temperature"], parts["top_p"], parts["length"]]
    asked = [desk, parts["question"], *how]
    wire(parts["ask"].click, talk.ask, asked, "ask", place="chat")
    wire(parts["question"].submit, talk.ask, asked, place="chat")
    for task in ("emotion", "reason"):
        wire(parts[task].click, _asking(talk, task), [desk, *how], f"ask_{task}", place="chat")
    wire(parts["retry"].click, talk.retry, [desk, *how], "retry", place="chat")
    wire(parts["forget"].click, talk.forget, [desk], "forget", place="chat")
    wire(parts["chat"].clear, talk.forget, [desk], place="chat")
    parts["stop"].click(talk.stop, desk, None, queue=False, show_progress="hidden", api_name="stop")


def _wire_person(wire: _Wire, parts: Parts, people: People) -> None:
    desk = parts["desk"]
    given = [desk, parts["enrolled"], parts["neutral"]]
    wire(parts["enrol"].click, people.enrol, given, "enrol", place="person")
    wire(parts["nobody"].click, people.forget, [desk], "forget_person", place="person")
    if "stored" in parts:
        chosen = [desk, parts["stored"]]
        wire(parts["stored"].input, people.choose, chosen, "choose_person", place="person")


def _wire_saving(wire: _Wire, parts: Parts, callbacks: Callbacks) -> None:
    for name, callback in (
        ("save_json", callbacks.save_json), ("save_sheet", callbacks.save_sheet),
    ):  # fmt: skip
        done = wire(parts[name].click, callback, [parts["desk"]], name, place="saving")
        done.success(None, None, None, js=_CLICK_SAVED, api_visibility="private")


def _opening(callbacks: Callbacks, example: Example) -> Callable[..., Iterator[Changes]]:
    return lambda desk, labels: callbacks.example(desk, example.path, labels)


def _asking(talk: Conversation, task: str) -> Callable[..., Iterator[Changes]]:
    return lambda desk, *how: talk.ask_task(desk, task, *how)


class _Page(gr.Blocks):
    """Refuses URLs, which Gradio would fetch for any file input."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *args: Any, **more: Any
    ) -> Any:
        """The input values of a callback; see the base class."""
        if names_address(inputs):
            raise gr.Error(NO_FETCHING, print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *args, **more)


class _Wire:
    """Connects events to callbacks, and shows their changes."""

    def __init__(self, parts: Parts, names: Iterable[str] | None = None) -> None:
        more = [name for name in parts if name.startswith(("use_", "state_"))]
        names = (*_CHANGED, *_SHOWN, *more) if names is None else names
        self.parts = {name: parts[name] for name in names if name in parts}

    def __call__(
        self,
        event: Callable[..., Any],
        callback: Callable[..., Iterator[Changes]],
        inputs: list[Any],
        api_name: str | None = None,
        at_once: int = _AT_ONCE,
        place: str = "",
    ) -> Any:
        """Let `event` call `callback` with the values of `inputs`.

        Args:
            event: of a component.
            callback: a generator of changes.
            inputs: components.
            api_name: name in the programming interface; None to hide it.
            at_once: number of concurrent calls.
            place: of the line that says what it does, where there are several lines. No event of
                these places is dropped while one before it is still at work.
        """

        def run(*values: Any) -> Iterator[dict[Any, Any]]:
            for changes in callback(*values):
                yield self._updates(changes, place)

        return event(
            run, inputs, list(self.parts.values()), show_progress="hidden",
            concurrency_limit=at_once, api_name=api_name,
            trigger_mode="multiple" if place else "once",
            api_visibility="private" if api_name is None else "public",
        )  # fmt: skip

    def _updates(self, changes: Changes, place: str) -> dict[Any, Any]:
        updates: dict[Any, Any] = {}
        for name, value in changes.items():
            if name == "states":
                updates |= {p: value for n, p in self.parts.items() if n.startswith("state_")}
            elif name == "state":
                updates[self.parts[f"state_{place}" if place else name]] = value
            elif name == "which_face":
                count, chosen = value
                names = [str(i + 1) for i in range(count)]
                updates[self.parts[name]] = gr.update(
                    choices=names, value=names[chosen] if names else None, visible=count > 1
                )
            elif name == "results":
                for part in _SHOWN:
                    if part in self.parts:
                        updates[self.parts[part]] = gr.update(visible=value)
            elif name.startswith("use_"):
                # A channel that the clip does not have can be neither used nor left out.
                channel, there = name.removeprefix("use_"), value is not None
                updates[self.parts[name]] = gr.update(
                    value=bool(value), interactive=there,
                    label=f"Use the {channel}" if there else f"No {channel} in this clip",
                )  # fmt: skip
            elif name in self.parts:
                updates[self.parts[name]] = value
        # Gradio takes no empty dictionary.
        return updates or {next(iter(self.parts.values())): gr.update()}
