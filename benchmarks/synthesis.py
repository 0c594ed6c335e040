"""Rendering of the probe corpus: clips a second.

python -m benchmarks.synthesis [--clips 60] [--workers 0] [--quick]

A new corpus in a temporary folder, planning, speech, drawing and video encoding included. `--quick`
makes 10 clips in one process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.measure import show
from emollama.probe import synthesize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for one a core")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    clips, workers = (10, 1) if options.quick else (options.clips, options.workers)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        manifest = synthesize(Path(folder), clips, 7, workers, progress=False)
        seconds = time.monotonic() - started
        size = sum(p.stat().st_size for p in Path(folder).rglob("*.mp4"))
    made = len(manifest.samples)
    rows = [
        {
            "clips": made,
            "seconds": round(seconds, 2),
            "clips_a_second": round(made / seconds, 2),
            "kB_a_clip": round(size / made / 1000),
        }
    ]
    show("synthesis", rows, workers=workers or "one a core")


if __name__ == "__main__":
    main()
