"""The wheel and the sdist: built here without a network, with everything that the package needs at run time."""

import ast
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import wavelens as wl

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {"torch": "pytorch", "soundfile": "pysoundfile", "matplotlib": "matplotlib-base"}  # where they differ
BUILD = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1])); print(b.build_sdist(sys.argv[1]))"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The paths of the wheel and the sdist."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(out)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [out / name for name in done.stdout.split()]


@pytest.mark.needs("hatchling")
def test_the_wheel_has_all_that_the_package_reads(built):
    wheel = built[0]
    assert wheel.name == f"wavelens-{wl.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        meta = archive.read(f"wavelens-{wl.__version__}.dist-info/METADATA").decode()
        entry = archive.read(f"wavelens-{wl.__version__}.dist-info/entry_points.txt").decode()
    source = ROOT / "src"
    wanted = {str(p.relative_to(source)) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert {"wavelens/py.typed", "wavelens/data/imagenet1k.txt", "wavelens/app/assets/page.css"} <= wanted <= names
    assert not [name for name in names if not name.startswith(("wavelens/", "wavelens-"))]
    assert f"\nVersion: {wl.__version__}\n" in meta
    assert "Provides-Extra: app" in meta
    assert "wavelens = wavelens.cli:main" in entry


@pytest.mark.needs("hatchling")
def test_the_wheel_runs_from_where_it_was_unpacked(built, tmp_path):
    with zipfile.ZipFile(built[0]) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys, wavelens; from wavelens.cli import main; print(wavelens.__file__); sys.exit(main(['--version']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=_only(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "wavelens/__init__.py"), "wavelens", wl.__version__]


def _only(folder):
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.mark.needs("hatchling")
def test_the_sdist_builds_again_and_holds_the_tests(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "src/wavelens/py.typed", "tests/cases.py", "README.md", "LICENSE", "Makefile"} <= names
    assert {"mkdocs.yml", "constraints.txt", "tsconfig.json", "recipe/recipe.yaml", "release/command_page.py"} <= names
    assert not [name for name in names if name.startswith((".venv", "site/", "wavelens-out"))]


def recipe(key: str) -> dict[str, SpecifierSet]:
    """The packages under a key of the recipe's requirements, with their versions."""
    text = (ROOT / "recipe/recipe.yaml").read_text(encoding="utf-8")
    (block,) = re.findall(rf"^  {key}:\n((?:    - .*\n)+)", text, re.MULTILINE)
    entries = (line.strip().removeprefix("- ").partition(" ") for line in block.splitlines())
    return {name: SpecifierSet(versions) for name, _, versions in entries}


def conda(requirements: list[str]) -> dict[str, SpecifierSet]:
    every = map(Requirement, requirements)
    return {CONDA_NAMES.get(one.name, one.name.lower()): one.specifier for one in every}


def test_the_recipe_for_conda_asks_for_what_the_wheel_does_in_the_same_version():
    project, text = PROJECT["project"], (ROOT / "recipe/recipe.yaml").read_text(encoding="utf-8")
    python = {"python": SpecifierSet(project["requires-python"])}
    assert recipe("run") == python | conda(project["dependencies"])
    assert recipe("host") == python | {"pip": SpecifierSet()} | conda(PROJECT["build-system"]["requires"])
    assert f'version: "{wl.__version__}"' in text
    assert f"\nversion: {wl.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert [f"{name} = {path}" for name, path in project["scripts"].items()] == re.findall(r"- (\w+ = .+)", text)
    assert project["description"] in text


def private_names(source: str) -> Iterator[str]:
    """Packages of which a file uses modules or attributes whose names begin with one underscore."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names, package = [*node.module.split("."), *(one.name for one in node.names)], node.module.partition(".")[0]
        elif isinstance(node, ast.Attribute):
            names, root = [], node
            while isinstance(root, ast.Attribute):
                names, root = [*names, root.attr], root.value
            package = root.id if isinstance(root, ast.Name) else ""
        else:
            continue
        if any(name.startswith("_") and not name.startswith("__") for name in names):
            yield package


def test_what_is_used_by_its_private_names_has_an_upper_bound():
    """The next major version may lack them.

    Of Gradio the routes are used, of typer the base class of its errors, of uvicorn the class of its protocol.
    """
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    extras = PROJECT["project"]["optional-dependencies"].values()
    every = [*PROJECT["project"]["dependencies"], *(text for extra in extras for text in extra)]
    bounds = {one.name: one.specifier for one in map(Requirement, every)}
    used = {name for text in texts for name in private_names(text)} & bounds.keys() | {"gradio", "typer", "uvicorn"}
    assert {"torch", "pydicom"} <= used
    assert [name for name in sorted(used) if not any(one.operator == "<" for one in bounds[name])] == []
