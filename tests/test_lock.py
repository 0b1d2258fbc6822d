"""The lock: every package that an extra brings has one version in constraints.txt, and no address stands there."""

import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PYTHONS = ("3.11.7", "3.12.1", "3.13.0")


def environment(python: str, extra: str = "") -> dict[str, str]:
    return {"python_version": python.rpartition(".")[0], "python_full_version": python, "extra": extra}


def applies(requirement: Requirement, python: str, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate(environment(python, extra)) for extra in extras | {""})


def pins(python: str) -> dict[str, str]:
    """The version of each package under one Python."""
    versions = {}
    for line in LINES:
        pin = Requirement(line)
        if applies(pin, python, set()):
            (exact,) = pin.specifier
            assert exact.operator == "==", line
            assert versions.setdefault(canonicalize_name(pin.name), exact.version) == exact.version, line
    return versions


def direct() -> list[Requirement]:
    """What the package and all its extras ask for, without the package itself."""
    texts = [*PROJECT["dependencies"], *(text for extra in PROJECT["optional-dependencies"].values() for text in extra)]
    return [one for one in map(Requirement, texts) if one.name != "wavelens"]


def test_a_line_is_a_name_a_version_and_at_most_a_marker():
    assert LINES
    for line in LINES:
        pin = Requirement(line)  # a path or an option is none
        assert pin.url is None, line
        assert "://" not in line, line


@pytest.mark.parametrize("python", PYTHONS)
def test_every_version_is_in_the_range_of_pyproject(python):
    versions = pins(python)
    for wanted in direct():
        name = canonicalize_name(wanted.name)
        assert name in versions, wanted
        assert wanted.specifier.contains(versions[name], prereleases=True), (str(wanted), versions[name])


def test_the_lowest_versions_are_the_floors_of_pyproject():
    lines = [line for line in (ROOT / "constraints-lowest.txt").read_text().splitlines() if not line.startswith("#")]
    versions = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in map(Requirement, lines)}
    for wanted in map(Requirement, PROJECT["dependencies"]):
        (floor,) = (one for one in wanted.specifier if one.operator == ">=")
        pinned = Version(versions[canonicalize_name(wanted.name)]).release
        first = Version(floor.version).release
        assert pinned[: len(first)] == first, wanted


@pytest.mark.parametrize("python", PYTHONS)
def test_what_the_installed_packages_need_in_turn_is_pinned(python):
    """Walked over the packages that are here; a lock that was not made anew lacks what a new dependency brings."""
    versions = pins(python)
    waiting, known = [(canonicalize_name(one.name), frozenset(one.extras)) for one in direct()], set()
    while waiting:
        name, extras = one = waiting.pop()
        if one in known:
            continue
        known.add(one)
        assert name in versions, name
        try:
            if version(name) != versions[name]:
                continue  # another is pinned for that Python, which needs other packages
            needed = map(Requirement, requires(name) or ())
        except PackageNotFoundError:
            continue  # an extra that is not installed
        waiting += [(canonicalize_name(r.name), frozenset(r.extras)) for r in needed if applies(r, python, set(extras))]
    assert len(known) > len(direct()) / 2
