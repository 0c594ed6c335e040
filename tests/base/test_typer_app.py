"""How a command line ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pytest
import typer

from emollama.base.errors import EmollamaError
from emollama.base.typer_app import run_app

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _known(word: str) -> str:
    raise ValueError(f"'{word}' is not one of 'a', 'b'.")


@app.command()
def leave(code: int) -> None:
    raise typer.Exit(code)


@app.command()
def stop() -> None:
    raise KeyboardInterrupt


@app.command()
def pick(by: Annotated[str, typer.Option(parser=_known)]) -> None:
    print(by)


@pytest.mark.parametrize(("words", "code"), [(["leave", "0"], 0), (["leave", "7"], 7), ([], 2)])
def test_a_command_leaves_with_its_code(words: Sequence[str], code: int) -> None:
    with pytest.raises(SystemExit) as left:
        run_app(app, words)
    assert left.value.code == code


def test_a_wrong_word_is_one_line_and_ctrl_c_is_ctrl_c() -> None:
    with pytest.raises(EmollamaError, match=r"'code': .*valid integer.*\(see --help\)"):
        run_app(app, ["leave", "x"])
    with pytest.raises(EmollamaError, match=r"^Invalid value for '--by': 'c' is not"):
        run_app(app, ["pick", "--by", "c"])
    with pytest.raises(KeyboardInterrupt):
        run_app(app, ["stop"])
