"""One worker process: a pipe to it, and a guarantee that it ends with its parent.

Ctrl-C, which a terminal sends to every process, is left to the parent; when the parent ends, for
whatever reason, so does the worker, whatever it is doing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.base.processors import limit_threads

Opened = Callable[[], tuple[Any, Callable[[Any], Any]]]
"""Called in a worker: returns its first message, and the function that answers each item."""


class RefusedError(EmollamaError):
    """An `EmollamaError` of a worker.

    Attributes:
        batch: what the worker was working on; empty while it started.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.batch: Sequence[Any] = ()


class _Refused(str):
    """The text of an `EmollamaError`, sent through the pipe."""


class Worker:
    """A process that sends a greeting and then an answer for each item.

    Args:
        opened: a module-level function, or a `partial` of one.
        preload: modules imported once for all workers, where the system can fork.
        shielded: SIGTERM does not end it either.
    """

    def __init__(self, opened: Opened, preload: Sequence[str] = (), shielded: bool = False) -> None:
        methods = multiprocessing.get_all_start_methods()
        method = "forkserver" if "forkserver" in methods else "spawn"
        context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(list(preload))
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, opened, shielded), daemon=True)
        with _signals_held():
            self.process.start()
        theirs.close()

    def send(self, item: Any) -> None:
        """Send an item; whether the process has died shows when its answer is awaited."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(item)

    def receive(self, seconds: float | None = None) -> Any:
        """The next message.

        Raises:
            RefusedError: a mistake the user has to fix; the process ends.
            TimeoutError: no message within so many seconds.
            EOFError: the process has died.
        """
        try:
            if seconds is not None and not self.connection.poll(seconds):
                raise TimeoutError
            message = self.connection.recv()
        except TimeoutError:
            raise
        except OSError as error:
            raise EOFError from error
        if isinstance(message, _Refused):
            raise RefusedError(str(message))
        return message

    def fate(self) -> str:
        """How it ended: by a signal or with an exit code."""
        self.process.join(timeout=5)
        code = self.process.exitcode
        if code is None:
            return "no exit code"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def end(self, patience: float = 0.0) -> None:
        """Close its pipe, which ends an idle process, and kill it if that takes too long."""
        self.connection.close()
        if patience:
            self.process.join(timeout=patience)
        self.process.kill()
        self.process.join(timeout=5)


@contextmanager
def _signals_held() -> Iterator[None]:
    """A process started in this block ignores Ctrl-C and SIGTERM while it starts."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    # Its start would let the signals through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, opened: Opened, shielded: bool) -> None:
    """Main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if shielded:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(1)  # there is a process for each processor

    def tell(message: Any) -> None:
        try:
            connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise SystemExit from None  # nobody waits for the answer any more

    try:
        greeting, answer = opened()
        tell(greeting)
        while True:
            try:
                item = connection.recv()
            except (EOFError, ConnectionResetError):
                return  # there is no more work
            tell(answer(item))
    except EmollamaError as error:
        tell(_Refused(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
