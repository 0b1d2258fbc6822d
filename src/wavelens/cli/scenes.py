"""`wavelens explain --tiles`: scenes larger than the model's input, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from wavelens.accounts import aligned
from wavelens.cli.shared_options import each
from wavelens.cli.terminal import plain, table
from wavelens.counts import count_of
from wavelens.explaining import Kind, TiledExplanation, explain_tiles
from wavelens.explaining.files import inputs, stems
from wavelens.explaining.report import report_path
from wavelens.explaining.tiles import check_tiled
from wavelens.models import LoadedModel
from wavelens.reports import Section, section, write_page

ENDINGS = ("-tiles.json", "-tiles.png", "-signed.tif", "-magnitude.tif", "-bands.tif")


def explain_scenes(
    loaded: LoadedModel, kind: Kind, files: list[str], out: Path, console: Console, report: bool, **options: Any
) -> int:
    """Explain scene after scene, and report all; the exit code. `options` are those of `explain_tiles`."""
    check_tiled(loaded, options.get("target"))
    paths, sections = inputs(files, kind), list[Section]()

    def one(path: Path, stem: str) -> Iterator[Path]:
        with console.status(f"explaining the tiles of {plain(path.name)}"):
            tiled = explain_tiles(path, loaded, **options)
        _print(path, tiled, console)
        yield from tiled.save(out, stem)
        if report:
            sections.append(section(tiled.entry(), len(paths)))

    def last() -> list[Path]:
        return [write_page(sections, report_path(out))] if sections else []

    named = zip(paths, stems(paths, out, kind, ENDINGS[:1], ENDINGS[1:]), strict=True)
    return each([*((str(path), partial(one, path, stem)) for path, stem in named), ("", last)], console)


def one_of(name: str, several: Sequence[Any]) -> Any:
    """The one that is given, or None for the usual; `ValueError` for more."""
    if len(several) > 1:
        raise ValueError(f"--tiles takes one --{name}; got {len(several)}. Leave the others out.")
    return several[0] if several else None


def _print(path: Path, tiled: TiledExplanation, console: Console) -> None:
    console.print(Text(plain(str(path)), style="bold"), soft_wrap=True)
    left_out = f", {tiled.left_out} left out" if tiled.left_out else ""
    console.print(Text(f"{plain(tiled.target)}: {count_of(len(tiled.accounts), 'tile')}{left_out}"), soft_wrap=True)
    shown = table("scale", "extent", "signed sum", "share of |γ|")
    sums = [float(one.sum()) for one in tiled.signed.values()]
    sizes = [float(one.sum()) for one in tiled.magnitude.values()]
    for name, text, size in zip(tiled.signed, aligned(sums), sizes, strict=True):
        extent = tiled.titles[name].partition(" · ")[2]
        shown.add_row(name, extent, text, f"{size / (sum(sizes) or 1):.1%}")
    console.print(shown)
