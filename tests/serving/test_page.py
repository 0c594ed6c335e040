"""The client script in docs/serving.md runs as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.serving.running import Running

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


def scripts() -> list[str]:
    """The page's scripts, as printed; `test_live` runs that of a live session."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_client_script_runs_as_printed(server: Running, clip: Path, tmp_path: Path) -> None:
    script = next(s for s in scripts() if "OpenAI" in s)
    # All that differs is the port, which is whichever was free.
    assert "http://127.0.0.1:8000" in script
    (tmp_path / "client.py").write_text(script.replace("http://127.0.0.1:8000", server.address))
    done = subprocess.run(
        [sys.executable, "client.py", str(clip)],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("shows: ") and "carried by: " in done.stdout
    assert len(done.stdout.splitlines()) >= 4
