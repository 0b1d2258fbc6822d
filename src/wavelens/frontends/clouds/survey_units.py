"""The lengths of a LAS file in metres, by what it says of its coordinate system: as WKT, or by GeoTIFF's keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wavelens.frontends.clouds.cloud import CloudError
from wavelens.optional import optional

UNITS = {9001: ("metre", 1.0), 9002: ("foot", 0.3048), 9003: ("US survey foot", 1200 / 3937)}  # numbers of EPSG
MODEL, SYSTEM, LINEAR, LINEAR_SIZE, VERTICAL = 1024, 3072, 3076, 3077, 4099  # keys
GEOGRAPHIC, OWN = 2, 32767
TOKEN = re.compile(r'"((?:[^"]|"")*)"|([\[\](),])|([^\[\](),"\s]+)')
PLANE = ("PROJCS", "PROJCRS", "PROJECTEDCRS", "GEOCCS", "LOCAL_CS", "ENGCRS")
GLOBE = ("GEOGCS", "GEOGCRS", "GEODCRS", "GEODETICCRS", "GEOGRAPHICCRS")
HEIGHT = ("VERT_CS", "VERTCRS", "VERTICALCRS")
UNIT = ("UNIT", "LENGTHUNIT")


class Lengths(NamedTuple):
    """Metres per unit of x and y, and of z, and what these units are called; `across` is None where nobody knows."""

    across: float | None
    up: float
    names: tuple[str, ...]


class Part(NamedTuple):
    """A part of a coordinate system in WKT: `UNIT["metre", 1]`."""

    keyword: str
    values: list[Any]


def survey_lengths(path: Path, header: Any) -> Lengths | None:
    """The lengths in a LAS header as laspy has it; None where it names no coordinate system.

    `CloudError` for a system of degrees, in which no length is one.
    """
    records = [*header.vlrs, *(getattr(header, "evlrs", None) or [])]
    text = next((one.string for one in records if type(one).__name__ == "WktCoordinateSystemVlr"), "")
    if text.strip("\0 \n"):
        return _of_text(path, text)
    keys = next((one for one in records if type(one).__name__ == "GeoKeyDirectoryVlr"), None)
    doubles = next((one for one in records if type(one).__name__ == "GeoDoubleParamsVlr"), None)
    return None if keys is None else _of_keys(path, keys, doubles)


def _of_text(path: Path, text: str) -> Lengths | None:
    parts = list(_walked(_parsed(text)))
    plane = next((one for one in parts if one.keyword in PLANE), None)
    if plane is None:
        if any(one.keyword in GLOBE for one in parts):
            raise _degrees(path)
        return None
    across = _unit(plane)
    if across is None:
        return Lengths(None, 1.0, (str(next(iter(plane.values), "a system without a unit")),))
    height = next((one for one in parts if one.keyword in HEIGHT), None)
    up = (height and _unit(height)) or across
    return Lengths(across[1], up[1], tuple(dict.fromkeys((across[0], up[0]))))


def _parsed(text: str) -> Part:
    """The parts of WKT, in an outermost one without a name."""
    outer = Part("", [])
    open_parts, word = [outer], ""
    for quoted, mark, plain in TOKEN.findall(text):
        if mark in ("[", "("):
            part = Part(word.upper(), [])
            if word and open_parts[-1].values:
                open_parts[-1].values.pop()  # its keyword
            open_parts[-1].values.append(part)
            open_parts.append(part)
        elif mark in ("]", ")") and len(open_parts) > 1:
            open_parts.pop()
        elif not mark:
            open_parts[-1].values.append(quoted or plain)
        word = plain
    return outer


def _walked(part: Part) -> Iterator[Part]:
    """All parts, the outer ones first."""
    waiting = [part]
    while waiting:
        one = waiting.pop(0)
        yield one
        waiting += [value for value in one.values if isinstance(value, Part)]


def _unit(part: Part) -> tuple[str, float] | None:
    """The name and the metres of a system's own unit, which WKT 2 has at its axes, too."""
    own = [value for value in part.values if isinstance(value, Part)]
    own += [value for axis in own if axis.keyword == "AXIS" for value in axis.values if isinstance(value, Part)]
    for one in own:
        if one.keyword in UNIT and len(one.values) >= 2:
            return str(one.values[0]), float(one.values[1])
    return None


def _of_keys(path: Path, record: Any, doubles: Any) -> Lengths | None:
    keys = {one.id: one for one in record.geo_keys}
    if MODEL in keys and keys[MODEL].value_offset == GEOGRAPHIC:
        raise _degrees(path)
    across = _unit_of_key(keys.get(LINEAR), keys.get(LINEAR_SIZE), doubles)
    if across is None:
        system = keys.get(SYSTEM)
        if system is None or system.value_offset in (0, OWN):
            return None
        across = _unit_of_system(system.value_offset)
        if across is None:
            return Lengths(None, 1.0, (f"EPSG:{system.value_offset}",))
    up = _unit_of_key(keys.get(VERTICAL), None, None) or across
    return Lengths(across[1], up[1], tuple(dict.fromkeys((across[0], up[0]))))


def _unit_of_key(key: Any, size: Any, doubles: Any) -> tuple[str, float] | None:
    if key is None:
        return None
    if key.value_offset == OWN and size is not None and doubles is not None:
        return "a unit of its own", float(doubles.doubles[size.value_offset])
    return UNITS.get(key.value_offset)


def _unit_of_system(number: int) -> tuple[str, float] | None:
    """That of a numbered system, which rasterio knows where it is installed."""
    try:
        name, metres = optional("rasterio.crs", "geo").CRS.from_epsg(number).linear_units_factor
    except (ImportError, ValueError):  # of these are rasterio's errors of systems, too
        return None
    return str(name), float(metres)


def _degrees(path: Path) -> CloudError:
    return CloudError(
        f"coordinates of a cloud are lengths; those of {path} are degrees of longitude and latitude. Project them, "
        "such as to UTM."
    )
