"""One thread a test process, and tests that skip where an optional package cannot be imported."""

import gc
import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that a test starts
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch
from PIL import Image

import own_file
import snippets
from wavelens.explaining import kinds

torch.set_num_threads(1)

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@cache
def obstacle(name: str) -> str | None:
    """Why a module, or `module:name` of one that loads its parts late, cannot be imported here, or None.

    A torchvision beside the wrong torch raises RuntimeError; in what imports it, that is the cause which is told.
    """
    try:
        pkgutil.resolve_name(name)
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        return f"{name} cannot be imported: {type(cause).__name__}: {cause}".splitlines()[0]
    return None


def pytest_collection_finish() -> None:
    """What is there by now is no garbage: looking through thousands of cases took a twentieth of the time."""
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("timm", "zennit")` skips with the reason; the test imports them in its body."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if reason := obstacle(name):
                pytest.skip(reason)


def own_modules_forgotten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forgets what is imported from now on out of a test's own folder: another test may have a module of that name."""
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        module = sys.modules[name]
        place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)  # a bare folder
        if place and Path(place).is_relative_to(tmp_path_factory.getbasetemp()):
            del sys.modules[name]


after_each_test = pytest.fixture(own_modules_forgotten, autouse=True)
after_each_file = pytest.fixture(own_modules_forgotten, autouse=True, scope="module")


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is asked for alone after the first: a test counts what a metric or a method itself asks for."""
    monkeypatch.setattr("wavelens.engine.batch_dependence.ROWS_PER_LOOK", 10**9)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[str], ModuleType]]:
    """`scripts("planted", "paper")` imports scripts of benchmarks/planted, which read others of benchmarks/paper.

    Scripts of two studies may have one name: one that another test imported from elsewhere makes way.
    """

    def importer(*folders: str) -> Callable[[str], ModuleType]:
        for folder in (".", *reversed(folders)):
            monkeypatch.syspath_prepend(str(BENCHMARKS / folder))
        for file in (file for folder in reversed(folders) for file in (BENCHMARKS / folder).glob("*.py")):
            known = sys.modules.get(file.stem)
            if known is not None and not any(Path(str(known.__file__)).parent == BENCHMARKS / f for f in folders):
                del sys.modules[file.stem]
        return importlib.import_module

    return importer


@pytest.fixture
def run_page(tmp_path, monkeypatch) -> Callable[[str], dict[str, object]]:
    """`run_page("guides/sound.md")` runs a page's Python as it stands, in `tmp_path`: the names that it leaves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(kinds, "KINDS", [*kinds.KINDS])  # a page may register its own
    return snippets.run


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a module of the user's own and three photos; Python finds the module nowhere else."""
    (tmp_path / f"{own_file.NAME}.py").write_text(own_file.MINE)
    (tmp_path / "photos").mkdir()
    random = np.random.default_rng(0)
    for name in "abc":
        Image.fromarray(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"photos/{name}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    return tmp_path
