"""`emollama chat`: a conversation about a clip in the terminal."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollama.assets.people import model_or_shipped
from emollama.base.errors import EmollamaError, nearest
from emollama.base.paths import need_clip
from emollama.base.precision import Precision, Quantise
from emollama.base.quiet import quiet_libraries
from emollama.cli.enrolling import (
    Enrol,
    EnrolNeutral,
    PersonName,
    SavePerson,
    clips_of,
    enrol_clips,
    enrolled_look,
    person_of,
    wanted,
)
from emollama.cli.show import show_answer
from emollama.endpoints.vllm import EngineUrl, need_engine
from emollama.media.whispers import WHISPER, LanguageCode, TranscriberName, chosen

if TYPE_CHECKING:
    from emollama.session import Answer, ClipView, Sampling, Session, Turn

HELP = """\
/task emotion|reason   ask the question that the model was trained on
/drop CHANNEL leave out voice, face or words; /use CHANNEL restores it
/words TEXT            replace what the person says; /words none for no words
/enrol CLIP...         measure against a person's other clips; /enrol none for nobody
/labels A,B,C          use other labels; /labels none for the model's own
/why                   show which channel the label rests on
/prompt                show the whole prompt of the model's last question
/temperature X, /top_p X, /length N, /seed N
/again                 answer the last question once more
/new                   start a new conversation
/save FILE.json        save the conversation
/help, /quit           (an empty line also ends it; Ctrl-C stops an answer)"""


START = "Ask about the clip. /help lists the commands; an empty line ends the conversation."


class Wrapped:
    """Prints pieces of text and breaks lines between words, not within one.

    Args:
        write: prints a text as it is.
        width: columns of a line.
    """

    def __init__(self, write: Callable[[str], None], width: int) -> None:
        self.write, self.width = write, width
        self._column = 0
        self._gap = self._word = ""

    def __call__(self, piece: str) -> None:
        """Take a piece; a word is written once it has ended."""
        for run in re.findall(r"\n|[^\S\n]+|\S+", piece):
            if run.isspace():
                self._end_word()
            if run == "\n":
                self.write(self._gap + run)
                self._column, self._gap = 0, ""
            elif run.isspace():
                self._gap += run
            else:
                self._word += run

    def _end_word(self) -> None:
        from rich.cells import cell_len

        if not self._word:
            return
        long = cell_len(self._gap + self._word)
        if self._column and self._column + long > self.width:
            self.write("\n" + self._word)
            self._column = cell_len(self._word)
        else:
            self.write(self._gap + self._word)
            self._column += long
        self._gap = self._word = ""


class Terminal:
    """A conversation: each line is a question, or a command that begins with a slash.

    Args:
        session: a language model.
        clip: whose name stands in what is saved.
        look: the clip.
        sampling: how answers are written.
        say: prints a piece of text, without a new line.
    """

    def __init__(
        self,
        session: Session,
        clip: Path,
        look: ClipView,
        sampling: Sampling,
        say: Callable[[str], None],
    ) -> None:
        self.session, self.clip, self.look = session, clip, look
        self.sampling, self.say = sampling, say
        self.turns: list[Turn] = []
        self.labels: list[str] | None = None
        self._shown: Answer | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "task": self._task, "drop": self._drop, "use": self._use, "words": self._words,
            "enrol": self._enrol,
            "labels": self._choose, "why": self._why, "prompt": self._prompt,
            "temperature": self._temperature, "top_p": self._top_p, "length": self._length,
            "seed": self._seed, "again": self._again, "new": self._new, "save": self._save,
            "help": lambda _: self.say(HELP + "\n"),
        }  # fmt: skip

    def line(self, text: str) -> bool:
        """Take one line; False where it ends the conversation. A mistake prints one line."""
        text = text.strip()
        if not text or text in ("/quit", "/exit"):
            return False
        try:
            if not text.startswith("/"):
                self._ask(text)
                return True
            name, _, rest = text[1:].partition(" ")
            if name not in self._commands:
                near = nearest(name, self._commands)
                hint = f"did you mean /{near}?" if near else "/help lists the commands"
                raise EmollamaError(f"/{name} is not a command; {hint}")
            self._commands[name](rest.strip())
        except EmollamaError as error:
            self.say(f"error: {error}\n")
        return True

    def show(self) -> None:
        """The label scores as they are with the channels that are used."""
        self._shown = self.session.answer(self.look, False, labels=self.labels)
        show_answer(self.clip, self._shown)

    def _ask(self, question: str, task: bool = False) -> None:
        from emollama.session import Turn
        from emollama.session.answer import REASON_FROM
        from emollama.session.questions import FromData, of_the_model, told
        from emollama.session.reasons import reason_from

        asked = Turn("user", question)
        known = None if task else told(self.session, self.look, question, self.labels)
        if known is not None:
            self.say(known + "\n")
            self.turns = [*self.turns, asked, FromData("assistant", known)]
            return
        turns = [*of_the_model(self.turns), asked]
        pieces: list[str] = []
        # A reason has to explain the label that is shown.
        reply = self.session.ask(self.look, turns, self.sampling, answer=self._shown)
        try:
            for piece in reply:
                pieces.append(piece)
                self.say(piece)
        except KeyboardInterrupt:
            self.say(" (stopped)")
        self.say("\n")
        if (whose := reason_from(reply)) is not None:
            self.say(f"({REASON_FROM[whose]})\n")
        if reply.finish == "length":
            self.say("(cut off at the maximum length; /length N allows more)\n")
        self.turns = [*self.turns, asked, Turn("assistant", "".join(pieces).strip())]

    def _task(self, name: str) -> None:
        if name == "emotion":
            self.show()
        self._ask(self.session.question(name, self.labels), task=True)

    def _again(self, _: str) -> None:
        if not self.turns:
            raise EmollamaError("there is no question yet")
        before, question = self.turns, self.turns[-2].text
        self.turns = before[:-2]
        try:
            self._ask(question)
        except EmollamaError:
            self.turns = before
            raise

    def _drop(self, channel: str) -> None:
        self.look = self.look.without(channel)
        self.show()

    def _use(self, channel: str) -> None:
        if channel not in self.look.present:
            there = ", ".join(self.look.present)
            raise EmollamaError(f"channel '{channel}' is not in this clip; it has {there}")
        self.look = self.look.only(self.look.channels | {channel})
        self.show()

    def _words(self, text: str) -> None:
        self.look = self.session.reworded(self.look, "" if text == "none" else text)
        self.show()

    def _enrol(self, text: str) -> None:
        if text == "none":
            self.look = self.session.known_as(self.look, None)
        else:
            clips = clips_of(map(Path, _split(text)))
            if not clips:
                raise EmollamaError("/enrol needs clips of the person, or a folder of them")
            person = enrol_clips(
                self.session, clips, False,
                lambda clip: enrolled_look(self.session, clip), lambda line: self.say(line + "\n"),
            )  # fmt: skip
            self.look = self.session.known_as(self.look, person)
        self.show()

    def _choose(self, text: str) -> None:
        labels = [word.strip() for word in text.split(",") if word.strip()]
        before = self.labels
        self.labels = None if text in ("", "none") else labels
        try:
            self.show()
        except EmollamaError:
            self.labels = before
            raise

    def _why(self, _: str) -> None:
        if self.labels is not None:
            raise EmollamaError(
                "/why works with the model's own labels only; /labels none restores them"
            )
        found = self.session.weights(self.look)
        assert found is not None, "a language model has labels"
        self.say(f"{found.label}: {found.full:.1%}, without any channel {found.empty:.1%}\n")
        for channel, share in sorted(found.channels.items(), key=lambda pair: -pair[1]):
            self.say(f"  {channel:<6} {share:+.1%}\n")
        for told in self.look.observation.measurements:
            self.say(f"  {told.start:.1f}-{told.end:.1f} s  {told.channel}: {told.words}\n")

    def _prompt(self, _: str) -> None:
        from emollama.session.questions import of_the_model

        turns = of_the_model(self.turns)
        if not turns:
            raise EmollamaError("the model has not been asked yet")
        self.say(self.session.prompt(self.look, turns[:-1]) + "\n")

    def _new(self, _: str) -> None:
        self.turns = []

    def _temperature(self, text: str) -> None:
        self.sampling = replace(self.sampling, temperature=_number(text))

    def _top_p(self, text: str) -> None:
        self.sampling = replace(self.sampling, top_p=_number(text))

    def _length(self, text: str) -> None:
        self.sampling = replace(self.sampling, max_new_tokens=_whole(text))

    def _seed(self, text: str) -> None:
        self.sampling = replace(self.sampling, seed=_whole(text))

    def _save(self, name: str) -> None:
        from emollama.base.files import write_json
        from emollama.session.record import record

        if not name:
            raise EmollamaError("/save needs the name of a file")
        answer = self.session.answer(self.look, False, labels=self.labels)
        weights = self.session.weights(self.look) if self.labels is None else None
        path = Path(name)
        try:
            write_json(
                path,
                record(self.session, self.clip.name, self.look, answer, self.turns, weights),
            )
        except OSError as error:
            raise EmollamaError(f"{path}: cannot be written: {error.strerror}") from error
        self.say(f"saved in {path}\n")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise EmollamaError(f"'{text}' is not a number") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise EmollamaError(f"'{text}' is not a whole number") from None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise EmollamaError(f"{text}: cannot be split into names of files: {error}") from None


def chat(
    clip: Annotated[Path, typer.Argument(help="Video, audio or picture file.")],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", help="Folder of a tuned language model.", show_default="models/people"
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(help="What the person says.")] = None,
    transcribe: Annotated[bool, typer.Option(help="Without --text, transcribe the clip.")] = True,
    transcriber: TranscriberName = WHISPER,
    language: LanguageCode = None,
    enrol: Enrol = None,
    enrol_neutral: EnrolNeutral = False,
    person: PersonName = None,
    save_person: SavePerson = None,
    engine: EngineUrl = None,
    dtype: Annotated[Precision, typer.Option(help="Precision of the language model.")] = "auto",
    quantise: Quantise = None,
) -> None:
    """Ask about a clip in the terminal.

    /help lists the commands; an empty line ends the conversation.
    """
    need_clip(clip)
    if engine is not None:
        engine = need_engine(engine)
    whisper = chosen(transcriber, language, transcribe)
    model = model_or_shipped(model)
    wish = wanted(model, enrol, enrol_neutral, person, save_person)
    quiet_libraries()
    from emollama.session import LlmSession, Sampling

    session = LlmSession.open(model, dtype, quantise=quantise)
    if engine is not None:
        session.artefact.write_by(engine)
    session.observer.transcribe_by(whisper)
    look = session.look(clip, text, transcribe=transcribe)

    def enrolled(path: Path) -> ClipView:
        return look if path.resolve() == clip.resolve() else enrolled_look(session, path)

    look = session.known_as(look, *person_of(session, wish, enrolled))

    def say(piece: str) -> None:
        print(piece, end="", flush=True)

    wide = Wrapped(say, shutil.get_terminal_size().columns) if sys.stdout.isatty() else say
    terminal = Terminal(session, clip, look, Sampling(), wide)
    terminal.show()
    wide(f"{START}\n")
    going = True
    while going:
        try:
            going = terminal.line(input("> " if sys.stdin.isatty() else ""))
        except EOFError:
            return
