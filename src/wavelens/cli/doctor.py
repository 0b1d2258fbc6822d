"""`wavelens doctor`: what is installed, what it runs on, and whether its transforms are right here."""

from __future__ import annotations

import importlib
import json
import math
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Annotated, Any

import numpy as np
import pywt
import torch
import typer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor, nn

from wavelens.attribution import attribute
from wavelens.cli.terminal import Terminal
from wavelens.core import Coefficients
from wavelens.counts import count_of
from wavelens.domains import DWT
from wavelens.domains.dwt import to_pywt
from wavelens.methods import IntegratedGradients
from wavelens.optional import first_cause
from wavelens.version import __version__

NAME = "wavelens"
CORE = ("torch", "numpy", "PyWavelets", "safetensors", "Pillow", "tifffile", "soundfile", "matplotlib", "typer", "rich")
DEVELOPERS = ("bench", "browser", "dev", "docs", "runner", "test")  # extras that users have no need of
WAVELETS, MODES = ("haar", "db4", "sym8", "bior2.4"), ("periodization", "reflect")
SHAPES = ((64,), (33, 20), (9, 8, 10))


@dataclass(frozen=True)
class Check:
    """A law that was tested on a device: the worst relative error that was found, and what is allowed."""

    name: str
    device: str
    error: float
    allowed: float
    seconds: float

    @property
    def ok(self) -> bool:
        return self.error <= self.allowed  # false for NaN


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """List what is installed, and test the transforms. Takes seconds, and tests every device.

    The transforms are compared with PyWavelets over wavelets, modes and one to three axes; their adjoints must satisfy
    ⟨S c, g⟩ = ⟨c, P g⟩; and integrated gradients of a small network must add up. For a missing extra, which is not a
    failure, the pip command is printed. A package that is installed but cannot be loaded is named with the reason.

    Exit codes: 0, all checks of the transforms passed; 1, one did not; 2, an option is wrong.
    """
    report = {
        "versions": versions(),
        "devices": [{"name": name, "what": what} for name, what in devices()],
        "extras": extras(),
        "checks": (checks := [check for name, _ in devices() for check in examined(name)]),
    }
    if as_json:
        print(json.dumps(report | {"checks": [asdict(c) | {"ok": c.ok} for c in checks]}, indent=2))
    else:
        _print(report, Terminal())
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def versions() -> dict[str, str | None]:
    """The versions of the package, of Python and of what the package always needs."""
    return {NAME: __version__, "python": platform.python_version(), **{name: _version(name) for name in CORE}}


def devices() -> list[tuple[str, str]]:
    """Where tensors can live, and what that is."""
    cpu = ("cpu", f"{count_of(os.cpu_count() or 1, 'core')}, {count_of(torch.get_num_threads(), 'thread')}")
    cards = [(f"cuda:{k}", _card(k)) for k in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return [cpu, *cards, *([("mps", "Apple's GPU")] if torch.backends.mps.is_available() else [])]


def _card(k: int) -> str:
    card = torch.cuda.get_device_properties(k)
    return f"{card.name}, {card.total_memory / 2**30:.0f} GiB"


def extras() -> dict[str, dict[str, Any]]:
    """What each extra brings: the version of each package, None where it is missing, and the command that installs it.

    A package that is older than the extra asks for counts as missing. `broken` says why one that is there cannot be
    imported.
    """
    states: dict[str, dict[str, Any]] = {}
    modules = _modules()
    for requirement, extra in _requirements():
        one = states.setdefault(extra, {"install": f"pip install '{NAME}[{extra}]'", "packages": {}, "broken": {}})
        there = _version(requirement.name)
        fits = there is not None and requirement.specifier.contains(there, prereleases=True)
        one["packages"][requirement.name] = there if fits else None
        if fits and (reason := _fault(modules.get(canonicalize_name(requirement.name), []))):
            one["broken"][requirement.name] = reason
    return states


def _modules() -> dict[str, list[str]]:
    """The modules that each package brings."""
    modules: dict[str, list[str]] = {}
    for module, packages in metadata.packages_distributions().items():
        for package in packages:
            modules.setdefault(canonicalize_name(package), []).append(module)
    return modules


def _fault(modules: list[str]) -> str | None:
    """Why one of them cannot be imported."""
    for module in modules:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(module)
        except Exception as error:
            cause = first_cause(error)
            return f"{type(cause).__name__}: {cause}"
    return None


def _requirements() -> Iterator[tuple[Requirement, str]]:
    """Every requirement of a user's extra, with the extra; none where the package was not installed by pip."""
    try:
        lines = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        text = str(requirement.marker or "")
        extra = next((part.strip("\"' ") for part in text.split("==")[1:]), "") if "extra" in text else ""
        if extra and extra not in DEVELOPERS and requirement.name != NAME:
            yield requirement, extra


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def examined(device: str) -> list[Check]:
    """The laws on a device; in float32 where it has no more."""
    dtype = torch.float32 if device == "mps" else torch.float64
    allowed = 1e-4 if device == "mps" else 1e-10
    laws: dict[str, Callable[[str, torch.dtype], float]] = {
        "transforms agree with PyWavelets": _against_pywavelets,
        "transforms are undone": _reconstruction,
        "⟨S c, g⟩ = ⟨c, P g⟩": _adjointness,
        "integrated gradients add up": _completeness,
    }
    checks = []
    for name, law in laws.items():
        start = time.perf_counter()
        error = law(device, dtype)
        checks.append(Check(name, device, error, allowed, time.perf_counter() - start))
    return checks


def _cases(device: str, dtype: torch.dtype) -> Iterator[tuple[DWT, Tensor]]:
    """A domain and a signal `(2, 3, *axes)` for every wavelet, mode and number of axes."""
    source = torch.Generator().manual_seed(0)
    for axes in SHAPES:
        x = torch.randn(2, 3, *axes, generator=source, dtype=torch.float64).to(device, dtype)
        yield from ((DWT(wavelet, levels=2, mode=mode), x) for wavelet in WAVELETS for mode in MODES)


def _against_pywavelets(device: str, dtype: torch.dtype) -> float:
    worst = 0.0
    for domain, x in _cases(device, dtype):
        axes = tuple(range(-len(x.shape[2:]), 0))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # short axes are meant
            expected = pywt.wavedecn(x.cpu().numpy(), domain.wavelet, domain.mode, 2, axes)
        pairs = zip(_arrays(to_pywt(domain.analysis(x))), _arrays(expected), strict=True)
        worst = _worse(worst, *(float(np.abs(ours - theirs).max() / np.abs(theirs).max()) for ours, theirs in pairs))
    return worst


def _arrays(coefficients: list[Any]) -> list[Any]:
    """The approximation, then the details of each level by their keys."""
    first, *rest = coefficients
    return [first, *(level[key] for level in rest for key in sorted(level))]


def _reconstruction(device: str, dtype: torch.dtype) -> float:
    errors = (float((d.analysis(x).synthesis() - x).abs().max() / x.abs().max()) for d, x in _cases(device, dtype))
    return _worse(*errors)


def _adjointness(device: str, dtype: torch.dtype) -> float:
    worst = 0.0
    for domain, x in _cases(device, dtype):
        layout, source = domain.analysis(x).layout, torch.Generator().manual_seed(1)
        c = torch.randn(2, 3, layout.size, generator=source, dtype=torch.float64).to(device, dtype)
        s = domain.synthesis(Coefficients(c, layout))
        difference = (s * x).sum() - (c * domain.adjoint(x, layout).data).sum()
        worst = _worse(worst, float(difference.abs() / (s.norm() * x.norm())))
    return worst


def _completeness(device: str, dtype: torch.dtype) -> float:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(2, 1, 16, 16, generator=source, dtype=torch.float64).to(device, dtype)
    w = torch.randn(256, 3, generator=source, dtype=torch.float64).to(device, dtype) / 16

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(x.flatten(1) @ w)

    a = attribute(Net().eval(), x, 1, domain=DWT("db4", levels=2), method=IntegratedGradients(steps=32))
    assert isinstance(a.gap, Tensor)
    assert isinstance(a.score, Tensor)
    return float((a.gap.abs() / a.score.abs()).max())


def _worse(*errors: float) -> float:
    """The largest; NaN where one is."""
    return math.nan if any(map(math.isnan, errors)) else max(errors)


def _print(report: dict[str, Any], console: Console) -> None:
    for name, version in report["versions"].items():
        console.print(Text(f"{name} {version or 'cannot be found'}"), soft_wrap=True)
    for device in report["devices"]:
        console.print(Text(f"{device['name']}: {device['what']}"), soft_wrap=True)
    console.print(_extras_table(report["extras"]))
    for one in report["extras"].values():
        for package, reason in one["broken"].items():
            text = f"{package} {one['packages'][package]} is installed and cannot be loaded: {' '.join(reason.split())}"
            console.print(Text(text, style="yellow"), soft_wrap=True)
    console.print(Text("pip install 'wavelens[NAME]' adds what the extra NAME lacks."))
    console.print(_checks_table(report["checks"]))


def _extras_table(extras: dict[str, dict[str, Any]]) -> Table:
    table = Table("extra", "has", "lacks")
    for name, one in extras.items():
        loads = {package: version for package, version in one["packages"].items() if package not in one["broken"]}
        has = ", ".join(f"{package} {version}" for package, version in loads.items() if version)
        lacks = ", ".join(package for package, version in one["packages"].items() if not version)
        table.add_row(name, has, lacks)
    return table


def _checks_table(checks: list[Check]) -> Table:
    table = Table("check", "device", "error", "limit", "s", "")
    for column in table.columns:
        column.no_wrap = True  # 80 columns hold it
    for one in checks:
        numbers = f"{one.error:.1e}", f"{one.allowed:.0e}", f"{one.seconds:.2f}"
        table.add_row(one.name, one.device, *numbers, "passed" if one.ok else "FAILED")
    return table
