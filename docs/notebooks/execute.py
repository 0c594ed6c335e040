"""Run a notebook's code cells in this environment, and write their outputs into the file.

python docs/notebooks/execute.py docs/notebooks/clip_to_answer.ipynb

Prints and matplotlib figures are kept. It stands in for Jupyter, which the project does not need;
Jupyter runs the same notebook.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

DPI = 72  # keeps the file small


def run_cell(source: str, namespace: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Outputs of one cell in the notebook format: what it prints, then its figures as PNG.

    Args:
        source: Python.
        namespace: shared by the cells; changed by them.
        name: of the cell, for tracebacks.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, name, "exec"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
        data = {"image/png": base64.b64encode(picture.getvalue()).decode()}
        outputs.append({"data": data, "metadata": {}, "output_type": "display_data"})
    plt.close("all")
    return outputs


def run(notebook: dict[str, Any], parameters: str | None = None) -> dict[str, Any]:
    """Execute the code cells of a notebook in order and put their outputs into it.

    Args:
        notebook: nbformat 4, as JSON; changed in place.
        parameters: Python that stands in for the cell tagged "parameters".

    Returns:
        The namespace that the cells share.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        count += 1
        source = "".join(cell["source"])
        if parameters is not None and "parameters" in cell["metadata"].get("tags", ()):
            source = parameters
        cell["outputs"] = run_cell(source, namespace, f"<cell {count}>")
        cell["execution_count"] = count
    return namespace


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("notebook", type=Path)
    path: Path = parser.parse_args().notebook
    notebook = json.loads(path.read_text(encoding="utf-8"))
    run(notebook)
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
