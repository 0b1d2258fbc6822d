"""The pages of the documentation as programs."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def blocks(page: Path) -> list[str]:
    """The pieces of Python on a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """The lines of a page's blocks that a shell would run, comments gone, continued lines joined."""
    every = re.findall(r"^```(.*?)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found = "\n".join(block for language, block in every if language in ("", "bash", "sh"))
    lines = re.sub(r"\\\n\s*", "", found).splitlines()
    return [line for line in lines if re.match(r"(wavelens|make|pip|python) ", line)]


def steps(page: str) -> Iterator[tuple[str, dict[str, object]]]:
    """A page's pieces, each with all names after it has run; one that begins with a file's name is that file too."""
    names: dict[str, object] = {"__name__": "page"}
    for code in blocks(DOCS / page):
        if named := re.match(r"# (\w+)\.py\n", code):
            Path(f"{named[1]}.py").write_text(code, encoding="utf-8")
        exec(compile(code, page, "exec"), names)
        yield code, names


def run(page: str) -> dict[str, object]:
    """The names that a page, run as one program in the working folder, leaves."""
    *_, (_, names) = steps(page)
    return names
