"""A process that has done the imports and forks into the commands that tests start.

`python train.py` spends five to seven seconds of CPU on imports before its first line. This
process spends them once; each command is a fork of it, with its own arguments, environment,
folder, signals and file descriptors. The protocol is one request at a time over a socket:
descriptors and the length of the rest, then JSON; the answer is the pid.

The process computes nothing, so that no thread is running when it forks. A command gets a
server of its own, too (`nested`): what it starts in turn, as torchrun and process pools do, is
forked as well.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import struct
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

SINGLE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PACKAGE = "emollama"
MODULES = (
    "transformers.models.llama.modeling_llama",
    "transformers.models.whisper.modeling_whisper",
    "accelerate",
    "matplotlib.backends.backend_agg",
    "torch.distributed.launcher.api",
    "torch.distributed.elastic.multiprocessing.subprocess_handler.subprocess_handler",
    "torch.utils.tensorboard",
)
# Too slow for every run of the tests; imported before the first command that needs them.
LATER = ("emollama.demo", "deepspeed")
_LENGTH = struct.Struct("!I")
_MOST = 64  # descriptors of one request
_BEFORE = set(os.environ)
_HIGH = 600  # above the descriptors that a request names


@dataclass(frozen=True)
class Request:
    """A command: what follows `python`, and the process' surroundings.

    Attributes:
        words: as in `sys.orig_argv[1:]`: options, then a script, `-m` module or `-c` code.
        descriptors: numbers that the descriptors sent along have in the command.
        ignored: signals that the command ignores from its start.
        blocked: signals that it starts with blocked.
        nested: whether what it starts is forked, too.
        imports: packages of `LATER` that it needs.
    """

    words: list[str]
    environment: dict[str, str]
    folder: str
    descriptors: list[int]
    session: bool
    umask: int
    ignored: list[int]
    blocked: list[int]
    nested: bool
    imports: list[str]


def send(sock: socket.socket, request: Request, descriptors: list[int]) -> None:
    """Send a request with the descriptors as they are numbered here."""
    body = json.dumps(request.__dict__).encode()
    socket.send_fds(sock, [_LENGTH.pack(len(body))], descriptors)
    sock.sendall(body)


def receive_pid(sock: socket.socket) -> int:
    """The answer to a request; 0 where the server has ended."""
    found = _exactly(sock, _LENGTH.size)
    return int(_LENGTH.unpack(found)[0]) if found else 0


def _exactly(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = sock.recv(count - len(found))
        if not part:
            return b""
        found += part
    return found


def _receive(sock: socket.socket) -> tuple[Request, list[int]] | None:
    head, descriptors, *_ = socket.recv_fds(sock, _LENGTH.size, _MOST)
    if not head:
        return None
    body = _exactly(sock, _LENGTH.unpack(head)[0])
    return (Request(**json.loads(body)), list(descriptors)) if body else None


def preload(package: str) -> None:
    """Import a package; one of ours with its modules, but those that run when imported."""
    if package in sys.modules:
        return
    found = importlib.import_module(package)
    if package.startswith(PACKAGE):
        for module in pkgutil.iter_modules(found.__path__, f"{package}."):
            if module.ispkg and module.name not in LATER:
                preload(module.name)
            elif not module.ispkg and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def serve(sock: socket.socket) -> Callable[[], None]:
    """Answer requests until the socket closes, which ends the process.

    Returns, in each child alone, what the child is to do.
    """
    # The terminal's Ctrl-C is for the commands and for pytest.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (found := _receive(sock)) is not None:
        request, descriptors = found
        for name in request.imports:
            preload(name)
        assert threading.active_count() == len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208
        pid = _fork_for_owner()
        if pid == 0:
            sock.close()
            return lambda: _run(request, descriptors)
        sock.sendall(_LENGTH.pack(pid))
        for descriptor in descriptors:
            os.close(descriptor)
    os._exit(0)


def _fork_for_owner() -> int:
    """Fork a child that is the owner's, not ours; its pid here, 0 in the child.

    The process between them ends, and the owner asked the kernel to be given the orphans of its
    descendants. The child starts when that is done.
    """
    told, tell = os.pipe()
    start, hold = os.pipe()
    between = os.fork()
    if between == 0:
        child = os.fork()
        if child:
            os.write(tell, _LENGTH.pack(child))
            os._exit(0)
        for descriptor in (told, tell, hold):
            os.close(descriptor)
        os.read(start, 1)  # ends when nobody holds the other end
        os.close(start)
        return 0
    pid = int(_LENGTH.unpack(os.read(told, _LENGTH.size))[0])
    os.waitpid(between, 0)
    for descriptor in (told, tell, start, hold):
        os.close(descriptor)
    return pid


def _run(request: Request, descriptors: list[int]) -> None:
    """Become the command, and leave as Python does."""
    if request.session:
        os.setsid()
    if request.nested:
        _serve_this(descriptors)
    _take(request.descriptors, descriptors)
    os.chdir(request.folder)
    os.umask(request.umask)
    set_by_imports = {k: v for k, v in os.environ.items() if k not in _BEFORE}
    os.environ.clear()
    os.environ.update({**set_by_imports, **request.environment})
    tempfile.tempdir = None  # found again, in this environment
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in request.ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, request.blocked)
    code = _ended(lambda: _execute(request.words))
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    os._exit(code)


def _serve_this(descriptors: list[int]) -> None:
    """Fork a server for what this process will start; it holds nothing of the request."""
    from tests import warm

    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        for descriptor in descriptors:
            os.close(descriptor)
        serve(theirs)()
    theirs.close()
    warm.use(ours)


def _take(numbers: list[int], descriptors: list[int]) -> None:
    """Give the descriptors their numbers; close all others but the socket to our server."""
    import fcntl

    high = [fcntl.fcntl(d, fcntl.F_DUPFD_CLOEXEC, _HIGH) for d in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for number, descriptor in zip(numbers, high, strict=True):
        assert number < _HIGH
        os.dup2(descriptor, number, inheritable=True)
        os.close(descriptor)


def _execute(words: list[str]) -> None:
    words = list(words)
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    while words[0] in ("-u", "-I", "-B", "-s", "-E"):
        unbuffered = words.pop(0) == "-u" or unbuffered
    sys.stdout.reconfigure(write_through=unbuffered)  # type: ignore[union-attr]
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    if words[0] == "-m":
        name = words[1]
        sys.argv, sys.path[0] = words[1:], os.getcwd()  # noqa: PTH109
        if name == "torch.distributed.run":
            _fork_ranks()
        sys.modules.pop(name, None)  # else runpy warns
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return
    if words[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *words[2:]], ""
        code: Any = compile(words[1], "<string>", "exec")
    else:
        path = words[0]
        sys.argv, sys.path[0] = words, os.path.dirname(os.path.realpath(path))  # noqa: PTH120
        main.__file__ = path
        with open(path, "rb") as file:  # noqa: PTH123
            code = compile(file.read(), path, "exec")
    exec(code, main.__dict__)


def _fork_ranks() -> None:
    """torchrun's processes are forked as the launcher itself is."""
    from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

    from tests import warm

    subprocess_handler.Popen = warm.Popen  # type: ignore[misc, assignment]


def _ended(run: Callable[[], None]) -> int:
    """The exit code of what is run; what Python would say about its error is said."""
    try:
        run()
        return 0
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return (stop.code or 0) & 255
        print(stop.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        return 1


def main() -> None:
    """Serve the process that started this one, over the socket whose number is the argument."""
    import gc

    sock = socket.socket(fileno=int(sys.argv[1]))
    for name in (*MODULES, "torch", "transformers", "peft"):
        importlib.import_module(name)
    preload(PACKAGE)
    gc.collect()
    gc.freeze()  # nor does a child's collector touch, and so copy, these pages
    serve(sock)()


if __name__ == "__main__":
    main()
