"""Load on `emollama serve`: 32 clients against one that sends its requests one at a time.

python -m benchmarks.serving [--model DIR] [--seconds 60] [--clients 32] [--clips 32] [--quick]
                             [--hold 0] [--kill] [--reasons 64] [--deadline 120]

Two kinds of request, both to /v1/emotion for label scores alone: about clips that are uploaded and
have been seen before, and with the clip in the request, each one new to the server (a byte of it is
changed, so that nothing kept can serve). For each, the requests a second of one client that waits
for each answer, then of all clients at once, with p50 and p95 of how long an answer took. Requests
that fail or are lost are counted, and end the benchmark with an error.

`--reasons N` asks for reasons instead: four requests one after another, then N at once, about
uploaded clips, raw ones and both in turn. What counts as lost is what got neither an answer nor a
429 with `Retry-After`; answers that came without their reason at the deadline are counted apart.
On a machine that others use, a longer `--deadline` lets all be written; the CPU seconds that the
server and its processes take for a reason depend less on the others than its rate.

`--hold N` goes on with the first kind for N seconds and watches the memory of the server and its
processes. `--kill` ends by killing the server with SIGKILL while requests run and starting it anew:
none of the old server's files may be left on disk. Without --model as in benchmarks.session.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import httpx
import psutil

from benchmarks.session import clips, untrained
from emollama.base.quiet import quiet_libraries

Request = Callable[[httpx.Client, int], httpx.Response]
_FIRST = 4  # requests one after another, before those at once


@contextmanager
def server(
    model: Path, folder: Path, deadline: float = 120
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`emollama serve` on a free port, with `folder` for its temporary files."""
    process = subprocess.Popen(
        [sys.executable, "-m", "emollama", "serve", "--model", str(model), "--port", "0",
         "--deadline", str(deadline)],
        env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address = process.stdout.readline().removeprefix("listening on ").strip()
        if not address:
            raise SystemExit("the server did not start")
        yield address, process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=180)


def load(
    address: str, clients: int, seconds: float, request: Request
) -> tuple[float, list[float], int]:
    """Requests a second, their durations, and how many failed or were lost."""
    durations: list[float] = []
    failed = 0
    lock = threading.Lock()
    numbers = iter(range(10**9))
    end = time.perf_counter() + seconds

    def one() -> None:
        nonlocal failed
        with httpx.Client(base_url=address, timeout=180) as client:
            while time.perf_counter() < end:
                with lock:
                    number = next(numbers)
                started = time.perf_counter()
                try:
                    good = request(client, number).status_code == 200
                except httpx.HTTPError:
                    good = False
                with lock:
                    durations.append(time.perf_counter() - started)
                    failed += not good

    started = time.perf_counter()
    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Requests that were under way at the end are waited for, and their time counts.
    return len(durations) / (time.perf_counter() - started), durations, failed


def compared(
    name: str, address: str, clients: int, seconds: float, request: Request
) -> tuple[float, int]:
    """Print one client against many; the factor, and how many requests failed."""
    alone, _, first = load(address, 1, max(seconds / 3, 2), request)
    rate, durations, failed = load(address, clients, seconds, request)
    if len(durations) > 1:
        cuts = quantiles(durations, n=20, method="inclusive")
        p50, p95 = cuts[9], cuts[18]
    else:
        p50 = p95 = durations[0]
    print(f"{name}: {clients} clients {rate:.2f} requests/s, one at a time {alone:.2f}: "
          f"{rate / alone:.2f} times; p50 {p50:.2f} s, p95 {p95:.2f} s; "
          f"{len(durations)} requests, {failed + first} failed")  # fmt: skip
    return rate / alone, failed + first


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and those below it."""
    whole = psutil.Process(pid)
    times = [one.cpu_times() for one in (whole, *whole.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def burst(name: str, address: str, count: int, request: Request, pid: int) -> int:
    """Print `count` requests with reasons at once against one at a time; how many were lost."""
    with httpx.Client(base_url=address, timeout=3600) as client:
        started, before = time.perf_counter(), cpu_seconds(pid)
        for number in range(_FIRST):
            request(client, number).raise_for_status()
        alone = _FIRST / (time.perf_counter() - started)
        each = (cpu_seconds(pid) - before) / _FIRST

    def one(number: int) -> tuple[str, float]:
        started = time.perf_counter()
        try:
            with httpx.Client(base_url=address, timeout=3600) as client:
                answer = request(client, _FIRST + number)
        except httpx.HTTPError:
            return "lost", 0.0
        seconds = time.perf_counter() - started
        if answer.status_code == 200:
            return ("label alone" if answer.json()["reason"] is None else "reason"), seconds
        refused = answer.status_code == 429 and "retry-after" in answer.headers
        return ("refused" if refused else "lost"), seconds

    started, before = time.perf_counter(), cpu_seconds(pid)
    with ThreadPoolExecutor(count) as pool:
        outcomes = list(pool.map(one, range(count)))
    used = cpu_seconds(pid) - before
    kinds = Counter(kind for kind, _ in outcomes)
    written = [seconds for kind, seconds in outcomes if kind == "reason"]
    rate = len(written) / max(written, default=1.0)
    print(f"{name} with reasons: {count} at once: {kinds['reason']} with their reason, "
          f"{kinds['label alone']} with the label alone, {kinds['refused']} refused, "
          f"{kinds['lost']} lost, in {time.perf_counter() - started:.0f} s; "
          f"{rate:.3f} reasons/s, one at a time {alone:.3f}: {rate / alone:.2f} times; "
          f"{used / max(1, len(written)):.2f} CPU s a reason, one at a time {each:.2f}",
          flush=True)  # fmt: skip
    return kinds["lost"]


def memory(process: subprocess.Popen[str]) -> float:
    """MB of the server and its processes; what they share is counted once a process."""
    whole = psutil.Process(process.pid)
    total = 0
    for one in (whole, *whole.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--hold", type=float, default=0)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--reasons", type=int, default=0)
    parser.add_argument("--deadline", type=float, default=120)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.clients, options.clips = 3.0, 4, 2
    quiet_libraries()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        temporary = folder / "tmp"
        temporary.mkdir()
        model = options.model or untrained(folder)
        data = [path.read_bytes() for path in clips(folder, options.clips)]
        form = {"weights": "false"} if options.reasons else {"reason": "false", "weights": "false"}
        with server(model, temporary, options.deadline) as (address, process):
            ids = []
            with httpx.Client(base_url=address, timeout=3600) as client:
                for clip in data:
                    answer = client.post("/v1/files", files={"file": ("clip.mp4", clip)})
                    ids.append(answer.raise_for_status().json()["id"])
                    asked = {"file_id": ids[-1], **form, "reason": "false"}
                    client.post("/v1/emotion", data=asked).raise_for_status()

            def uploaded(client: httpx.Client, number: int) -> httpx.Response:
                return client.post(
                    "/v1/emotion", data={"file_id": ids[number % len(ids)], **form}
                )  # fmt: skip

            def raw(client: httpx.Client, number: int) -> httpx.Response:
                # Behind the last box of an mp4 anything may stand; the content is another.
                clip = data[number % len(data)] + b"\0\0\0\x0cfree%04x" % (number % 65536)
                return client.post(
                    "/v1/emotion", files={"file": ("clip.mp4", clip)}, data=form
                )  # fmt: skip

            def mixed(client: httpx.Client, number: int) -> httpx.Response:
                return (raw if number % 2 else uploaded)(client, number)

            if options.reasons:
                for title, request in (
                    ("uploaded clips", uploaded), ("raw clips", raw), ("both", mixed)
                ):  # fmt: skip
                    failed += burst(title, address, options.reasons, request, process.pid)
                if failed:
                    raise SystemExit(f"{failed} requests were lost")
                return
            for title, request in (("uploaded clips", uploaded), ("raw clips", raw)):
                failed += compared(title, address, options.clients, options.seconds, request)[1]
            if options.hold:
                before = memory(process)
                _, durations, more = load(address, options.clients, options.hold, uploaded)
                failed += more
                after = memory(process)
                print(f"memory: {before:.0f} MB, after {options.hold:g} s and {len(durations)} "
                      f"requests {after:.0f} MB ({after / before - 1:+.1%})")  # fmt: skip
            if options.kill:
                threading.Timer(2, os.kill, (process.pid, signal.SIGKILL)).start()
                load(address, options.clients, 4, raw)
                process.wait()
                left = [p.name for p in temporary.iterdir()]
                with server(model, temporary) as (again, _):
                    httpx.get(f"{again}/healthz").raise_for_status()
                    kept = [p.name for p in temporary.iterdir()]
                gone = not set(left) & set(kept)
                print(f"killed: {len(left)} files or folders were left, "
                      f"{'gone' if gone else 'NOT gone'} after the next start")  # fmt: skip
                failed += not gone
    if failed:
        raise SystemExit(f"{failed} requests failed or were lost")


if __name__ == "__main__":
    main()
