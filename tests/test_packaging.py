"""The wheel and the sdist: built here without a network, with everything that the package needs at run time."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import wavelens as wl

ROOT = Path(__file__).parents[1]
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
    assert {"mkdocs.yml", "constraints.txt", "tsconfig.json"} <= names
    assert not [name for name in names if name.startswith((".venv", "site/", "wavelens-out"))]
