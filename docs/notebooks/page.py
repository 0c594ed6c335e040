"""A hook of mkdocs: each notebook beside this file becomes a page of the site, with its outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

FOLDER = Path(__file__).parent


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        name = f"notebooks/{path.stem}.md"
        text = markdown(json.loads(path.read_text(encoding="utf-8")))
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to a notebook lead to its page."""
    return markdown.replace(".ipynb)", ".md)")


def markdown(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown; pictures stand inside it."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            if output["output_type"] == "stream":
                parts.append("```text\n" + "".join(output["text"]).rstrip() + "\n```")
            else:
                parts.append(f"![](data:image/png;base64,{output['data']['image/png']})")
    return "\n\n".join(parts) + "\n"
