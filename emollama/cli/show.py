"""An answer in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from emollama.session import Answer

_WIDTH = 30  # characters of a bar at 100 %


def show_answer(clip: Path, answer: Answer) -> None:
    """An answer for people: what to mistrust, set of labels, bars up to 100 %, clues, reason."""
    console = Console(highlight=False)
    named = answer.label or ", ".join(answer.labels or ())
    if not named:
        named = "none of the labels" if answer.scores else "values"
    console.print(f"[bold]{escape(clip.name)}[/bold]: [bold]{escape(named)}[/bold]  "
                  f"(from {', '.join(answer.channels)})")  # fmt: skip
    for line in answer.leading:
        console.print(f"  [bold]{escape(line)}[/bold]")
    shown = answer.scores
    if answer.label_set is not None:
        shown = answer.calibrated or shown
        console.print(f"  {answer.set_in_words}", markup=False)
    for label, value in sorted(shown.items(), key=lambda kv: -kv[1]):
        full = round(_WIDTH * value)
        console.print(
            f"  {label:<10} {100 * value:5.1f} % {'█' * full}{'·' * (_WIDTH - full)}", markup=False
        )
    for name, number in (answer.values or {}).items():
        console.print(f"  {name:<10} {number:+.3f}", markup=False)
    for channel, words in answer.clues.items():
        relative = f", compared with {answer.compared_with}" if channel == "voice" else ""
        console.print(f"  measured in the {channel}{relative}: {words}", markup=False)
    if answer.described_in_words is not None:
        console.print(f"  {answer.described_in_words}", markup=False)
    if answer.reason:
        console.print(f"  {answer.reason}", markup=False)
        console.print(f"  ({answer.reason_in_words})", markup=False)
    for note in answer.remarks:
        console.print(f"  note: {note}", markup=False)
