"""The table of metrics in the guide, made of the metrics themselves: `python tests/column_table.py` prints it."""

from wavelens.metrics.measures import METRICS
from wavelens.metrics.metric import Column
from wavelens.runs.statistics.tables import ARROWS


def column_table() -> str:
    """A row for each metric: its text with the usual options, and what its columns say."""
    rows = [f"| `{cls()!r}` | {', '.join(map(_column, cls().columns))} |\n" for cls in METRICS]
    return "".join(["| `--metric` | columns |\n", "|---|---|\n", *rows])


def _column(column: Column) -> str:
    notes = [text for text, holds in {"median": column.middle == "median", "drawn": column.is_curve}.items() if holds]
    arrow = f" {ARROWS[column.better]}" if column.better else ""
    return f"{column.name}{arrow}{f' ({notes[0]})' if notes else ''}"


if __name__ == "__main__":
    print(column_table(), end="")
