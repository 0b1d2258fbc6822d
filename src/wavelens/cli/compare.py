"""`wavelens compare`: runs side by side, with paired intervals and ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavelens.baselines import parse
from wavelens.baselines.controls import CONTROLS
from wavelens.cli.options import check_folder
from wavelens.cli.terminal import Terminal, note, plain
from wavelens.counts import count_of, part_of
from wavelens.runs import Run
from wavelens.runs.statistics.columns import short_heads
from wavelens.runs.statistics.comparison import RESAMPLES, Comparison, compare
from wavelens.runs.statistics.tables import caption, files, lines, warnings
from wavelens.runs.store.shards import write_whole
from wavelens.wording import in_words


def compare_runs(
    runs: Annotated[list[Path], typer.Argument(help="Folders written by wavelens evaluate.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write comparison.md, .tex, .csv and curves.png to.", show_default="none"),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Number of bootstrap resamples.")] = RESAMPLES,
    seed: Annotated[int, typer.Option(help="Seed for the bootstrap.")] = 0,
) -> None:
    """Compare runs: means, 95 % intervals, ranks. Only files that all runs have are counted.

    Intervals come from a paired bootstrap, corrected for bias and skewness: files are resampled with replacement, the
    same ones for every run. Fewer than six files have no intervals. A rank is followed by the ranks that the run has in
    95 % of the resamples. A * marks a difference that remains after Holm's correction for all tests of the table.
    Arrows say whether more (↑) or less (↓) is better; a column without an arrow is not ranked, and shows the difference
    from the first run. Runs that are unfinished are named.
    """
    comparison = compare(runs, resamples=resamples, seed=seed)
    console = Terminal()
    console.print(_table(comparison))
    console.print(Text(caption(comparison)), soft_wrap=True)
    for warning in warnings(comparison):
        note(warning)
    for name, folder in zip(comparison.runs, runs, strict=True):
        _say_state(console, name, Run.open(folder))
    if out is not None:
        check_folder(out)
        for path in _write(comparison, out):
            console.print(Text(f"wrote {plain(str(path))}"), soft_wrap=True)


def _table(comparison: Comparison) -> Table:
    table = Table("metric", "run", "mean or median", "distance to the best", "rank")
    before = ""
    for metric, run, *numbers in lines(comparison):
        if before not in ("", metric):
            table.add_section()
        table.add_row(metric if metric != before else "", Text(plain(run)), *map(Text, numbers))
        before = metric
    return table


def _say_state(console: Console, name: str, run: Run) -> None:
    """What a run is of, and what it lacks."""
    task = run.manifest.task
    target = task.get("target", "")
    explainer = _explainer(task.get("explainer", ""))
    text = f"{name}: {task.get('model', task['task'])}, {explainer}{'; ' * bool(target)}{target}"
    states = [(len(shard.failures), shard.verified) for shard in run.shards()]
    if failures := sum(failed for failed, _ in states):
        text += f"; {count_of(failures, 'file')} failed"
    if unverified := sum(not verified for _, verified in states):
        text += f"; {part_of(unverified, len(states), 'shard', 'is', 'are')} of an earlier version, without a checksum"
    if missing := len(run.missing()):
        text += f"; {part_of(missing, run.manifest.shards, 'shard', 'is', 'are')} missing"
    console.print(Text(plain(text)), soft_wrap=True)


def _explainer(text: str) -> str:
    """An explainer in words; one of a user's own, whose class is not known here, as the manifest has it."""
    try:
        return in_words(parse(text, CONTROLS))
    except ValueError:
        return text


def _named(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """The curves by the short names that fit above their panels."""
    heads = short_heads(list(dict.fromkeys(name for own in comparison.curves.values() for name in own)))
    titles = {name: name if "fractions=" in name else head for name, head in heads.items()}  # which name the axis
    return {run: {titles[name]: values for name, values in own.items()} for run, own in comparison.curves.items()}


def _write(comparison: Comparison, out: Path) -> list[Path]:
    written = []
    for name, text in files(comparison).items():
        write_whole(out / name, text.encode())
        written.append(out / name)
    if any(comparison.curves.values()):
        from wavelens import plots  # matplotlib: only once there is something to draw

        plots.save(plots.mean_curves(_named(comparison)), out / "curves.png")
        written.append(out / "curves.png")
    return written
