"""The reference has every public name, and every name that a page of the documentation imports or calls."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command

import wavelens as wl
from snippets import DOCS, blocks
from wavelens.cli.commands import app

PAGES = [page for page in sorted(DOCS.rglob("*.md")) if blocks(page)]
OPTIONAL = ("wavelens.captum", "wavelens.torchmetrics")  # they import what need not be here


def directives() -> list[str]:
    """What the pages of the reference describe: modules, and names of modules."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    return re.findall(r"^::: (\S+)$", text, re.MULTILINE)


def named(path: str) -> Any:
    """The module or value that a directive names; a module is meant where a value has its name."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        parent, _, name = path.rpartition(".")
        return getattr(importlib.import_module(parent), name)


def members(module: ModuleType) -> set[str]:
    """The names that a module's page has: of `__all__`, or its own public ones, those with a docstring.

    A name that is a file of the package, too, stands for the file there.
    """
    own = {name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__}
    names = set(getattr(module, "__all__", [name for name in own if not name.startswith("_")]))
    modules = (getattr(getattr(module, name), "__module__", "") for name in names)
    defined = {name for name, where in zip(names, modules, strict=True) if str(where).startswith("wavelens.")}
    files = {file.stem for file in sources(module)} - {Path(module.__file__ or "").stem}
    return (defined | names & constants(module)) - files


def sources(module: ModuleType) -> list[Path]:
    file = Path(module.__file__ or "")
    return [*file.parent.rglob("*.py")] if file.stem == "__init__" else [file]


def constants(module: ModuleType) -> set[str]:
    """The names of values with a docstring below them, in the module or the files of the package."""
    names = set()
    for source in sources(module):
        for node, after in pairwise(ast.parse(source.read_text(encoding="utf-8")).body):
            if isinstance(node, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


@cache
def described() -> dict[int, str]:
    """The path by which the reference describes a value, by the value's identity."""
    paths: dict[int, str] = {}
    for path in directives():
        if path.startswith(OPTIONAL):
            continue
        value = named(path)
        paths[id(value)] = path
        if isinstance(value, ModuleType):
            paths |= {id(getattr(value, name)): f"{path}.{name}" for name in members(value)}
    return paths


def uses(code: str) -> Iterator[str]:
    """The dotted paths within wavelens that a piece of Python imports or follows."""
    tree, aliases = ast.parse(code), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {one.asname or one.name: one.name for one in node.names if one.name.startswith("wavelens")}
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wavelens"):
            yield from (f"{node.module}.{one.name}" for one in node.names)
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if re.fullmatch(r"[\w.]+", text) and text.partition(".")[0] in aliases:
            yield f"{aliases[text.partition('.')[0]]}.{text.partition('.')[2]}"


def first_value(path: str) -> tuple[str, Any]:
    """The first thing on a path that is not a module: of `wavelens.Attribution.load`, the class."""
    value, known = wl, "wavelens"
    for part in path.split(".")[1:]:
        if not isinstance(value, ModuleType):
            break
        known = f"{known}.{part}"
        value = getattr(value, part, None) or importlib.import_module(known)
    return known, value


def is_described(path: str) -> bool:
    if path.startswith(OPTIONAL):
        return any(path == one or path.startswith(f"{one}.") for one in directives())
    known, value = first_value(path)
    return id(value) in described() or any(one.startswith(f"{known}.") for one in directives())


def test_every_public_name_is_in_the_reference():
    """Those of the package, and those of each module that has a page.

    A function that is called as its file has a directive of its own, such as `::: wavelens.masks.soft.soft`.
    """
    names = [f"wavelens.{name}" for name in wl.__all__ if name != "__version__"]
    for path in directives():
        module = None if path.startswith(OPTIONAL) else named(path)
        names += [f"{path}.{name}" for name in getattr(module, "__all__", ())]
    assert [name for name in names if not is_described(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_what_a_page_imports_is_in_the_reference(page):
    code = "\n".join(blocks(page))
    assert sorted({first_value(path)[0] for path in uses(code) if not is_described(path)}) == []


def test_a_page_of_the_reference_is_named_in_its_index():
    index = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (DOCS / "reference").glob("*.md")} - {"index.md"}
    assert pages == set(re.findall(r"\]\((\w+\.md)\)", index))


def test_the_page_of_the_command_is_generated(scripts):
    """No line of it is typed: `python release/command_page.py` writes it; and it has every name that is parsed."""
    made = scripts("../release")("command_page").page()
    assert made == (DOCS / "command.md").read_text(encoding="utf-8")
    for name, command in get_command(app).commands.items():
        section = made.partition(f"\n## wavelens {name}\n")[2].partition("\n## ")[0]
        parsed = {text for one in command.params for text in (*one.opts, *one.secondary_opts) if text.startswith("--")}
        listed = "\n".join(re.findall(r"^\| `(.*?)`", section, re.MULTILINE))
        assert parsed == set(re.findall(r"--[a-z-]+", listed)), name


def test_an_example_of_a_docstring_is_a_block_of_code(scripts, monkeypatch):
    """In Markdown `>>>` begins three quotations; griffe, which reads the docstrings, is not here."""
    monkeypatch.setitem(sys.modules, "griffe", SimpleNamespace(Extension=object, Object=object))
    fenced = scripts("../release")("doctest_fences").fenced
    example = ">>> for k in range(2):\n...     print(k)\n0\n1"
    assert fenced(f"Counts.\n\n{example}\n\nEnds.") == f"Counts.\n\n```pycon\n{example}\n```\n\nEnds."
    assert fenced(f"Counts.\n\n{example}") == f"Counts.\n\n```pycon\n{example}\n```"
    assert fenced("Counts `a >>> b`.") == "Counts `a >>> b`."
