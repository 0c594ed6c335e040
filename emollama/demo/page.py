"""Builds the page: connects components to callbacks and shows their changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gradio as gr

from emollama.demo.callbacks import Callbacks, Changes
from emollama.demo.examples import Example
from emollama.demo.gate import NO_FETCHING, names_address
from emollama.demo.layout import KEEP_SECONDS, Parts, lay_out
from emollama.demo.people import NOBODY, People
from emollama.demo.recording.callbacks import Recordings
from emollama.demo.recording.tab import recording_tab

_WRITERS = 4  # answers that are written side by side, for different visitors
_CLICK_SAVED = "() => setTimeout(() => document.querySelector('#saved').click(), 200)"
_CHANGED = (
    "desk", "state", "player", "words", "answer", "carried", "notes", "peak", "timeline", "chat",
    "question", "saved", "person", "stored",
)  # fmt: skip
_SHOWN = ("clip_part", "answer_part", "evidence_part", "chat_part", "saving_part")


def build(
    callbacks: Callbacks,
    examples: Sequence[Example],
    no_examples: str | None,
    people: Sequence[str] = (),
    recordings: Recordings | None = None,
) -> gr.Blocks:
    """Build the page.

    Args:
        callbacks: of the page.
        examples: clips to choose from.
        no_examples: why there are none; None if there are.
        people: names of the stored people that visitors may choose.
        recordings: callbacks of the tab for recordings; without them there is none.
    """
    session = callbacks.session
    page = _Page(
        title=f"emollama: {session.name}",
        analytics_enabled=False,
        delete_cache=(KEEP_SECONDS // 6, KEEP_SECONDS),
    )
    with page, gr.Tabs():
        with gr.Tab("A clip"):
            _clip_tab(callbacks, examples, no_examples, people)
        if recordings is not None:
            with gr.Tab("A recording"):
                recording_tab(session, recordings, KEEP_SECONDS, lambda parts: _Wire(parts, parts))
    # Enough may wait that a class can use the page, and no more.
    page.queue(max_size=64)
    return page


def _clip_tab(
    callbacks: Callbacks,
    examples: Sequence[Example],
    no_examples: str | None,
    people: Sequence[str],
) -> None:
    session = callbacks.session
    titles = [example.title for example in examples]
    labels = list(callbacks.label_sets)
    parts = lay_out(session, labels, titles, no_examples, [NOBODY, *people])
    wire = _Wire(parts)
    _wire_clip(wire, parts, callbacks, examples)
    if session.writes:
        _wire_chat(wire, parts, callbacks)
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
    wire(parts["upload"].upload, callbacks.open, [desk, parts["upload"], labels], "open")
    wire(parts["camera"].change, callbacks.open, [desk, parts["camera"], labels])
    for button, example in zip(parts["examples"], examples, strict=True):
        wire(button.click, _opening(callbacks, example), [desk, labels])
    for event, name in ((parts["reword"].click, "reword"), (parts["words"].submit, None)):
        wire(event, callbacks.reword, [desk, parts["words"]], name)
    wire(labels.input, callbacks.relabel, [desk, labels], "relabel")
    switches = [parts[f"use_{channel}"] for channel in callbacks.session.channels]
    for i, switch in enumerate(switches):
        wire(switch.input, callbacks.use, [desk, *switches], None if i else "use")


def _wire_chat(wire: _Wire, parts: Parts, callbacks: Callbacks) -> None:
    desk = parts["desk"]
    how = [parts["temperature"], parts["top_p"], parts["length"]]
    asked = [desk, parts["question"], *how]
    wire(parts["ask"].click, callbacks.ask, asked, "ask", _WRITERS)
    wire(parts["question"].submit, callbacks.ask, asked, None, _WRITERS)
    for task in ("emotion", "reason"):
        wire(parts[task].click, _asking(callbacks, task), [desk, *how], f"ask_{task}", _WRITERS)
    wire(parts["retry"].click, callbacks.retry, [desk, *how], "retry", _WRITERS)
    wire(parts["forget"].click, callbacks.forget, [desk], "forget")
    wire(parts["chat"].clear, callbacks.forget, [desk])
    parts["stop"].click(
        callbacks.stop, desk, None, queue=False, show_progress="hidden", api_name="stop"
    )


def _wire_person(wire: _Wire, parts: Parts, people: People) -> None:
    desk = parts["desk"]
    given = [desk, parts["enrolled"], parts["neutral"]]
    wire(parts["enrol"].click, people.enrol, given, "enrol")
    wire(parts["nobody"].click, people.forget, [desk], "forget_person")
    if "stored" in parts:
        wire(parts["stored"].input, people.choose, [desk, parts["stored"]], "choose_person")


def _wire_saving(wire: _Wire, parts: Parts, callbacks: Callbacks) -> None:
    for name, callback in (
        ("save_json", callbacks.save_json), ("save_sheet", callbacks.save_sheet),
    ):  # fmt: skip
        done = wire(parts[name].click, callback, [parts["desk"]], name)
        done.success(None, None, None, js=_CLICK_SAVED, api_visibility="private")


def _opening(callbacks: Callbacks, example: Example) -> Callable[..., Iterator[Changes]]:
    return lambda desk, labels: callbacks.open(
        desk, str(example.path), labels, example.title, example.text
    )


def _asking(callbacks: Callbacks, task: str) -> Callable[..., Iterator[Changes]]:
    return lambda desk, *how: callbacks.ask_task(desk, task, *how)


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
        if names is None:
            names = (*_CHANGED, *_SHOWN, *(name for name in parts if name.startswith("use_")))
        self.parts = {name: parts[name] for name in names if name in parts}

    def __call__(
        self,
        event: Callable[..., Any],
        callback: Callable[..., Iterator[Changes]],
        inputs: list[Any],
        api_name: str | None = None,
        at_once: int = 1,
    ) -> Any:
        """Let `event` call `callback` with the values of `inputs`.

        Args:
            event: of a component.
            callback: a generator of changes.
            inputs: components.
            api_name: name in the programming interface; None to hide it.
            at_once: number of concurrent calls.
        """

        def run(*values: Any) -> Iterator[dict[Any, Any]]:
            for changes in callback(*values):
                yield self._updates(changes)

        return event(
            run, inputs, list(self.parts.values()), show_progress="hidden",
            concurrency_limit=at_once, api_name=api_name,
            api_visibility="private" if api_name is None else "public",
        )  # fmt: skip

    def _updates(self, changes: Changes) -> dict[Any, Any]:
        updates: dict[Any, Any] = {}
        for name, value in changes.items():
            if name == "results":
                for part in _SHOWN:
                    if part in self.parts:
                        updates[self.parts[part]] = gr.update(visible=value)
            elif name.startswith("use_"):
                # A channel that the clip does not have can be neither used nor left out.
                updates[self.parts[name]] = gr.update(
                    value=bool(value), interactive=value is not None
                )
            elif name in self.parts:
                updates[self.parts[name]] = value
        return updates
