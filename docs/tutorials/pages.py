"""A hook of MkDocs that makes a page of every notebook, with its stored outputs, and offers the file for download."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

SUFFIX = ".ipynb"
FENCE = "````"  # longer than any in a cell


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Take notebooks for pages, where MkDocs would copy them."""
    for file in files:
        if file.src_uri.endswith(SUFFIX):
            file.is_documentation_page = lambda: True  # type: ignore[method-assign]
            vars(file).pop("dest_uri")  # it is where a copy would lie
    return files


def on_page_read_source(*, page: Page, config: MkDocsConfig) -> str | None:
    """The Markdown of a notebook; other pages are read as ever."""
    path = Path(page.file.abs_src_path or "")
    return markdown(json.loads(path.read_text(encoding="utf-8")), path.name) if path.suffix == SUFFIX else None


def on_post_build(*, config: MkDocsConfig) -> None:
    """Put the notebooks beside their pages."""
    for path in Path(config.docs_dir).rglob(f"*{SUFFIX}"):
        shutil.copy(path, Path(config.site_dir) / path.relative_to(config.docs_dir))


def markdown(notebook: dict[str, Any], name: str) -> str:
    """All cells one after another, below the title a link to the file."""
    cells = [_cell(cell) for cell in notebook["cells"]]
    link = f'<a href="{name}" download>Download this notebook</a>'
    return "\n\n".join([re.sub(r"\n|$", f"\n\n{link}\n", cells[0], count=1), *cells[1:]]) + "\n"


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        return source
    return "\n\n".join([_fenced(source, "python"), *map(_output, cell["outputs"])])


def _output(output: dict[str, Any]) -> str:
    """What a cell printed or ended with: HTML before a picture before a text."""
    data = {kind: "".join(content) for kind, content in output.get("data", {}).items()}
    if html := data.get("text/html"):
        return f'<div class="output">{html}</div>'
    if png := data.get("image/png"):
        return f'<div class="output"><img alt="{_alt(data["text/plain"])}" src="data:image/png;base64,{png}"></div>'
    return _fenced("".join(output.get("text", data.get("text/plain", ""))).rstrip("\n"), "text")


def _alt(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip()


def _fenced(text: str, language: str) -> str:
    return f"{FENCE}{language}\n{text}\n{FENCE}"
