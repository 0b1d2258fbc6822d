"""Run the tutorials and store in them what their cells show: `python docs/tutorials/make.py [1-photo.ipynb …]`.

Jupyter is not needed: the code cells of a notebook run in order in one namespace and in an empty folder, and what a
cell ends with is stored as Jupyter would store it. The digest of all cells tells later whether the outputs are theirs.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

os.environ.setdefault("MPLBACKEND", "Agg")

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
COLOURS, WIDTH = 128, 1100  # of stored pictures; width in pixels

Notebook = dict[str, Any]
Cell = dict[str, Any]


def read(path: Path) -> Notebook:
    """A notebook as it is stored."""
    notebook: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def code(notebook: Notebook) -> list[Cell]:
    """The cells that hold code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def digest(notebook: Notebook) -> str:
    """The SHA-256 of the kinds and the texts of all cells."""
    texts = [[cell["cell_type"], "".join(cell["source"])] for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def run(notebook: Notebook) -> Iterator[tuple[Cell, dict[str, Any], list[dict[str, Any]]]]:
    """Run the code cells in the working folder: each cell, all names after it, and its outputs."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(code(notebook), 1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = execute("".join(cell["source"]), names, f"cell {number}")
        outputs: list[dict[str, Any]] = []
        if printed.getvalue():
            outputs.append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
        if value is not None:
            head = {"data": shown(value), "execution_count": number, "metadata": {}}
            outputs.append({**head, "output_type": "execute_result"})
        yield cell, names, outputs


def execute(source: str, names: dict[str, Any], where: str) -> object:
    """Run a cell, and return the value of its last line if that is an expression and no semicolon follows it."""
    tree = ast.parse(source, where)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, where, "exec"), names)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), where, "exec"), names)
    value: object = eval(compile(ast.Expression(last.value), where, "eval"), names)
    return None if source.rstrip().endswith(";") else value


def shown(value: object) -> dict[str, Any]:
    """What Jupyter would store of a value: its text, and its HTML or else its picture."""
    bundle: dict[str, Any] = {"text/plain": lines(repr(value))}
    if html := getattr(value, "_repr_html_", lambda: None)():
        return {"text/html": lines(html), **bundle}
    if png := getattr(value, "_repr_png_", lambda: None)():
        return {"image/png": base64.b64encode(small(png)).decode(), **bundle}
    return bundle


def small(png: bytes) -> bytes:
    """A picture of at most `WIDTH` pixels and `COLOURS` colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((WIDTH, 10 * WIDTH))
    file = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, format="png", optimize=True)
    return file.getvalue()


def lines(text: str) -> list[str]:
    """A text as notebooks store it."""
    return text.splitlines(keepends=True)


def make(path: Path) -> None:
    """Run a notebook in an empty folder and store its outputs."""
    notebook, start = read(path), time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sys.path.insert(0, folder)
        for number, (cell, _, outputs) in enumerate(run(notebook), 1):
            cell.update(outputs=outputs, execution_count=number)
        sys.path.remove(folder)
    notebook["metadata"]["wavelens"] = {"cells": digest(notebook)}
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path.name}: {time.process_time() - start:.1f} s of processor, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for notebook_path in [FOLDER / name for name in sys.argv[1:]] or NOTEBOOKS:
        make(notebook_path)
