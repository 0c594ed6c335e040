"""Extraction by the built-in pool and by Ray, in turns on the same clips with two workers each.

python -m benchmarks.engines MANIFEST [--encoders prosody,expression] [--repeats 2]

Ray must be installed (`pip install 'emollama[ray]'`). Each run has a store of its own; their bytes
are compared. The rate without the start counts from the first batch that was done.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from emollama.encoders.table import parse_encoder
from emollama.features.extract import extract
from emollama.manifest.sample import Manifest, read_manifest
from emollama.workers.engines import Engine, get_pool, need_engine

ENGINES: tuple[Engine, ...] = ("pool", "ray")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--encoders", default="prosody,expression")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    need_engine("ray")
    corpus = read_manifest(options.manifest)
    with tempfile.TemporaryDirectory() as folder:
        stores = []
        for repeat in range(options.repeats):
            for engine in ENGINES:
                stores.append(Path(folder) / f"{engine}-{repeat}")
                timed(corpus, options.encoders.split(","), stores[-1], engine)
        same = {tuple(sorted(contents(store).items())) for store in stores}
        print("stores: the same bytes" if len(same) == 1 else "stores: DIFFERENT")


def timed(corpus: Manifest, specs: list[str], store: Path, engine: Engine) -> None:
    marks: list[tuple[float, int]] = []
    began = time.monotonic()
    extract(
        corpus, [parse_encoder(spec) for spec in specs], store, workers=2, pool=get_pool(engine),
        progress=lambda done, _: marks.append((time.monotonic(), done)),
    )  # fmt: skip
    seconds = time.monotonic() - began
    (first, some), (last, count) = next(m for m in marks if m[1]), marks[-1]
    print(
        f"{engine}: {count} clips in {seconds:.1f} s, {count / seconds:.2f} clips/s; "
        f"{(count - some) / max(last - first, 1e-9):.2f} clips/s after the start",
        flush=True,
    )


def contents(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


if __name__ == "__main__":
    main()
