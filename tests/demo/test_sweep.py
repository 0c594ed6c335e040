"""Nothing stays on disk for longer than is said, whoever left it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from emollama.demo.sweep import sweep, swept


def test_old_files_go_and_new_ones_stay(tmp_path: Path) -> None:
    part, sheet = tmp_path / "tmpabc", tmp_path / "saved" / "x" / "sheet.html"
    sheet.parent.mkdir(parents=True)
    for path in (part, sheet):
        path.write_bytes(b"a face")
        os.utime(path, (0, 0))  # what a copy says of its age does not count
    sweep(tmp_path, 60)
    assert part.exists() and sheet.exists()
    time.sleep(0.05)
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to(outside)
    sweep(tmp_path, 0.02)
    assert not part.exists() and not sheet.exists() and outside.is_dir()
    time.sleep(0.05)
    sweep(tmp_path, 0.02)
    sweep(tmp_path, 0.0)
    assert tmp_path.is_dir() and not list(tmp_path.iterdir())


def test_it_is_swept_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "left").write_bytes(b"a face")
    with swept(tmp_path, 0.2):
        until = time.monotonic() + 30
        while (tmp_path / "left").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
