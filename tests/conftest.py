"""One thread a test process, and tests that skip where an optional package cannot be imported."""

import importlib
import os
from collections.abc import Callable
from functools import cache

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that a test starts
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

import snippets

torch.set_num_threads(1)


@cache
def obstacle(module: str) -> str | None:
    """Why `module` cannot be imported here, or None. A torchvision beside the wrong torch raises RuntimeError."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return f"{module} cannot be imported: {type(error).__name__}: {error}".splitlines()[0]
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("timm", "zennit")` skips with the reason; the test imports them in its body."""
    for mark in item.iter_markers("needs"):
        for module in mark.args:
            if reason := obstacle(module):
                pytest.skip(reason)


@pytest.fixture
def run_page(tmp_path, monkeypatch) -> Callable[[str], dict[str, object]]:
    """`run_page("guides/sound.md")` runs a page's Python as it stands, in `tmp_path`: the names that it leaves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return snippets.run
