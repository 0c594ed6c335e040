"""The options that say who is in a clip: `--enrol`, `--person` and what belongs to them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollama.base.errors import EmollamaError
from emollama.base.paths import need_clip, need_prior
from emollama.media.suffixes import MEDIA

if TYPE_CHECKING:
    from emollama.inputs.person import Person
    from emollama.session import ClipView, Session

Enrol = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="CLIP", show_default=False,
        help="Another clip of the person, or a folder of them; may be repeated.",
    ),
]  # fmt: skip
EnrolNeutral = Annotated[
    bool, typer.Option("--enrol-neutral", help="All enrolled clips are neutral.")
]
PersonName = Annotated[
    str | None,
    typer.Option(metavar="NAME", show_default=False, help="A person stored before."),
]
SavePerson = Annotated[
    str | None,
    typer.Option(metavar="NAME", show_default=False, help="Store the enrolled person."),
]


@dataclass(frozen=True)
class Wanted:
    """Whom the clips are to be measured against, as the options say.

    Attributes:
        clips: to enrol.
        neutral: whether all of them are.
        person: name of a stored person; None for none.
        save: name to store the person by; None for not.
    """

    clips: tuple[Path, ...] = ()
    neutral: bool = False
    person: str | None = None
    save: str | None = None

    @property
    def name(self) -> str | None:
        """The name that the person is stored by; None where they are not."""
        return self.save if self.person is None else self.person


def wanted(
    model: Path,
    enrol: Sequence[Path] | None,
    neutral: bool,
    person: str | None,
    save: str | None = None,
) -> Wanted:
    """The options, checked before the model is opened.

    Raises:
        EmollamaError: they contradict each other, name clips or people that are not there, or the
            model does not measure people.
    """
    if enrol and person is not None:
        raise EmollamaError("give --enrol or --person, not both")
    if neutral and not enrol:
        raise EmollamaError("--enrol-neutral is about clips given by --enrol")
    if save is not None and not enrol:
        raise EmollamaError("--save-person stores the person of clips given by --enrol")
    clips = clips_of(enrol or ())
    if clips or person is not None:
        need_prior(model)
    if person is not None:
        from emollama.inputs.stored_people import stored_file

        stored_file(person)
    if save is not None:
        from emollama.inputs.stored_people import require_free

        require_free(save)
    return Wanted(clips, neutral, person, save)


def clips_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Clips to enrol, each once: files as named, and the media files of folders.

    Raises:
        EmollamaError: a path does not exist, or a folder has no media file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            need_clip(path)
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in MEDIA and p.is_file())
        if not inside:
            raise EmollamaError(f"{path}: holds no video, sound or picture to enrol")
        found += inside
    return tuple({path.resolve(): path for path in found}.values())


def person_of(
    session: Session, wish: Wanted, look: Callable[[Path], ClipView]
) -> tuple[Person | None, str | None]:
    """The person of the options and, where they are stored, their name.

    Args:
        session: the model.
        wish: the options.
        look: reads a clip.

    Raises:
        EmollamaError: a clip cannot be read or shows nothing of a person, a stored file is corrupt
            or of another model.
    """
    if wish.person is not None:
        from emollama.inputs.stored_people import load_person
        from emollama.session.enrolling import require_same_model

        person = load_person(wish.person)
        require_same_model(session.person_prior, person, wish.person)
        return person, wish.person
    if not wish.clips:
        return None, None
    found, name = enrol_clips(session, wish.clips, wish.neutral, look), wish.save
    if name is not None:
        from emollama.inputs.stored_people import save_person

        path = save_person(found, name)
        print(f"stored '{name}' in {path}", file=sys.stderr)
    return found, name


def enrol_clips(
    session: Session,
    clips: Sequence[Path],
    neutral: bool,
    look: Callable[[Path], ClipView],
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> Person:
    """The person of some clips; `say` is told where somebody else seems to be among them.

    Raises:
        EmollamaError: a clip cannot be read, or shows nothing of a person.
    """
    _ = session.person_prior  # a model that measures nobody is told before clips are read
    looks = [look(clip) for clip in clips]
    names = [str(clip) for clip in clips]
    person = session.enrol(looks, neutral, names)
    for line in session.enrolment_warnings(looks, neutral, names):
        say(f"warning: {line}")
    return person


def enrolled_look(session: Session, clip: Path) -> ClipView:
    """A clip of a person, transcribed only where words are measured against people."""
    return session.look(clip, transcribe="words" in session.person_channels.values())
