"""What is said on the first screen: what the page does, of which model, and what it can read."""

from __future__ import annotations

from html import escape

from emollama.demo.saving import INTENDED, model_in_words
from emollama.manifest.channels import CHANNELS
from emollama.media.decode import MAX_SECONDS
from emollama.runs.training_data import training_terms
from emollama.serving.settings import Settings
from emollama.session import Session


def intro(session: Session) -> str:
    """The title, what the page does, and the model, as HTML."""
    missing = [c for c in CHANNELS if c not in session.channels]
    unread = (
        f" Of {' and '.join(missing)} the page shows what was measured; the answer does not go by "
        "them."
        if missing
        else ""
    )
    return (
        "<h1>Which emotion, and how do you know?</h1>"
        "<p>Choose a short clip of one person. The page shows which emotion a model finds in it, "
        "how sure it is, which channel that rests on and what was measured, and answers "
        "questions.</p>"
        f"<p>It asks {escape(model_in_words(session))}{unread}</p>"
        f"<p class='intended'>{escape(INTENDED)}</p>"
    )


def about(session: Session) -> str:
    """More of the model, which is folded: its labels, its name and the terms of its data."""
    inputs = "".join(f"<li>{escape(str(one))} ({one.channel})</li>" for one in session.inputs)
    labels = f"<p>Labels: {escape(', '.join(session.labels))}.</p>" if session.labels else ""
    terms = " ".join(training_terms(session.artefact.record))
    return (
        f"<details class='small'><summary>About the model</summary>{labels}"
        f"<p>Inputs:</p><ul>{inputs}</ul><p>{escape(terms)}</p>"
        f"<p>It is called {escape(session.name)}.</p></details>"
    )


def limits(settings: Settings, session: Session) -> str:
    """Formats and limits, as HTML; pictures where the model goes by the face."""
    seen = "face" in session.channels
    pictures = ", a picture (jpg, png, webp) or a GIF" if seen else ""
    needs = "" if seen else " Of a picture, or a clip without sound, the model can tell nothing."
    return (
        "<p class='small'>Video (mp4, mov, webm, mkv, avi), sound (wav, mp3, m4a, flac, ogg)"
        f"{pictures}; at most "
        f"{settings.max_bytes >> 20} MB and {settings.max_seconds:g} s; of a longer one choose a "
        f"part. The first {MAX_SECONDS:g} s are read.{needs}</p>"
    )
