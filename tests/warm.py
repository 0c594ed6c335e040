"""Commands of tests, forked from a process that has done the imports (`tests.forkserver`).

`Popen` and `run` take what `subprocess` takes, for commands that start with `sys.executable`.
What is forked behaves as what is started, except that imports are done: what a command imports,
and how long that takes, is tested with a process of its own (`subprocess`).
"""

from __future__ import annotations

import ctypes
import inspect
import multiprocessing.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.forkserver import SINGLE, Request, receive_pid, send

ROOT = Path(__file__).parents[1]
FORKS = sys.platform == "linux" and not os.environ.get("EMOLLAMA_TESTS_COLD")
_PR_SET_CHILD_SUBREAPER = 36
_STANDARD = (0, 1, 2)
_lock = threading.RLock()
_server: tuple[int, socket.socket] | None = None  # and the process whose server it is
_spawn_cold = multiprocessing.util.spawnv_passfds


def use(sock: socket.socket) -> None:
    """Have this process' commands forked by the server at the other end, and its pools, too."""
    global _server
    _server = (os.getpid(), sock)
    multiprocessing.util.spawnv_passfds = _spawn


def use_always() -> None:
    """Have the commands of this process forked, by a server that starts with the first."""
    if FORKS:
        multiprocessing.util.spawnv_passfds = _spawn


def _connect() -> socket.socket | None:
    """The server of this process; None in a fork of it, which has none."""
    if _server is None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **dict.fromkeys(SINGLE, "1")}
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        code = "from tests.forkserver import main; main()"
        subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )  # fmt: skip
        theirs.close()
        use(ours)
    assert _server is not None
    owner, sock = _server
    return sock if owner == os.getpid() else None


def _ask(
    words: Sequence[str],
    descriptors: dict[int, int],
    *,
    environment: dict[str, str] | None = None,
    folder: str | None = None,
    session: bool = False,
    ignored: Iterable[int] = (),
    blocked: Iterable[int] = (),
    nested: bool = True,
    imports: Sequence[str] = (),
) -> int:
    """Start a command; its pid, which is a child of this process."""
    with _lock:
        sock = _connect()
        assert sock is not None
        umask = os.umask(0)
        os.umask(umask)
        request = Request(
            list(words), dict(os.environ if environment is None else environment),
            folder or str(Path.cwd()), list(descriptors), session, umask,
            [int(s) for s in ignored], [int(s) for s in blocked], nested, list(imports),
        )  # fmt: skip
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            send(sock, request, list(descriptors.values()))
            pid = receive_pid(sock)
        finally:
            libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    assert pid, "the server of tests/forkserver.py has ended"
    return pid


class Popen(subprocess.Popen):
    """`subprocess.Popen` of a command that starts with `sys.executable`.

    Args:
        imports: packages of `tests.forkserver.LATER` that the command needs.
    """

    def __init__(self, *args: Any, imports: Sequence[str] = (), **options: Any) -> None:
        self._imports = imports
        super().__init__(*args, **options)

    def _execute_child(self, *given: Any) -> None:
        names = list(inspect.signature(subprocess.Popen._execute_child).parameters)[1:]
        call = dict(zip(names, given, strict=True))
        words = [os.fsdecode(word) for word in call["args"]]
        if not FORKS or words[0] != sys.executable or (_server and _server[0] != os.getpid()):
            super()._execute_child(*given)
            return
        assert call["preexec_fn"] is None and not call["pass_fds"] and not call["shell"]
        pipes = (call["p2cread"], call["c2pwrite"], call["errwrite"])
        standard = {
            number: number if pipe == -1 else pipe
            for number, pipe in zip(_STANDARD, pipes, strict=True)
        }
        folder = call["cwd"]
        self.pid = _ask(
            words[1:], standard, environment=call["env"],
            folder=None if folder is None else str(Path(os.fsdecode(folder)).resolve()),
            session=call["start_new_session"], imports=self._imports,
        )  # fmt: skip
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(call[name] for name in ends))


def run(
    *words: object, imports: Sequence[str] = (), timeout: float = 300, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`python` with these words, from the root of the repository; both outputs as text.

    Raises:
        subprocess.TimeoutExpired: it takes longer, in seconds; it is killed then.
    """
    command = [sys.executable, *map(str, words)]
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with Popen(command, imports=imports, text=True, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _spawn(path: Any, args: Sequence[Any], passed: Sequence[int]) -> int:
    """What multiprocessing starts its processes with: `python -c "from multiprocessing..."`."""
    words = [os.fsdecode(word) for word in args][1:]
    code = words[words.index("-c") + 1] if "-c" in words else ""
    pools = re.match(r"from multiprocessing\.(forkserver|spawn) import", code)
    if not pools or (_server and _server[0] != os.getpid()):
        return _spawn_cold(path, args, passed)
    words = words[words.index("-c") :]
    numbers = [*_STANDARD, *passed]
    ignored = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) == signal.SIG_IGN]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return _ask(
        words, dict(zip(numbers, numbers, strict=True)), ignored=ignored, blocked=blocked,
        nested=False,
    )  # fmt: skip
