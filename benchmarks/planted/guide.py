"""The table of docs/guides/metrics.md that says how far each measure agrees with planted truth.

    python benchmarks/planted/guide.py            # print it, from results/agreement.json and agreement-further.json
    python benchmarks/planted/guide.py --write    # and put it under its mark in the guide

Measures are in the order of their agreement on the tasks for judging, or for choosing where those are not on record.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides, records
from harness.tables import table

RECORD, FURTHER = (Path(__file__).parent / "results" / f"agreement{part}.json" for part in ("", "-further"))
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "metrics.md"
TABLE = "agreement with planted truth"
MARK = f"<!-- table: {TABLE} -->\n"
PURPOSES = ("judging", "choosing")
MIN_NETWORKS = 3  # of an interval over networks
APART = ("networks", "truth")  # what is in a record beside its measures
ASKED: dict[str, str] = {  # how each measure of the record is asked for in a run
    "insertion": "Curves()",
    "deletion": "Curves()",
    "faithfulness": "Curves()",
    "faithfulness, log": "Curves(fractions='log')",
    "faithfulness, shuffled": "Curves(fill='shuffled')",
    "faithfulness, shuffled, log": "Curves(fill='shuffled', fractions='log')",
    "faithfulness, shuffled, log, logit": "Curves(fill='shuffled', fractions='log', score='logit')",
    "faithfulness, blur, log": "Curves(fill='blur', fractions='log')",
    "faithfulness, noise, log": "Curves(fill='noise', fractions='log')",
    "faithfulness, mean, log": "Curves(fill='mean', fractions='log')",
    "mu_fidelity": "MuFidelity()",
    "infidelity, noise": "Infidelity(normalize=True)",
    "infidelity, removal": "Infidelity(perturb='removal', normalize=True)",
    "ff": "FF()",
    "fid_in": "FidIn()",
    "irof": "Irof()",
    "road": "Road()",
    "transfer": "Transfer()",
    "transfer, log": "Transfer(fractions='log')",
    "max_sensitivity": "MaxSensitivity()",
    "residual_correlation": "ResidualCorrelation()",
    "smooth_cascading": "SmoothCascading()",
    "complexity_rise": "ComplexityRise()",
    "sparseness": "Sparseness()",
    "complexity": "Complexity()",
}
Record = dict[str, Any]


def joined(record: Record, further: Record) -> Record:
    """The record with the measures of a further one, each with the `networks` that it was asked of."""
    results = dict(record["results"])
    for purpose, cells in further.get("results", {}).items():
        own = {name: {"networks": cells["networks"]} | cell for name, cell in cells.items() if name not in APART}
        results[purpose] = results[purpose] | own
    return {**record, "results": results}


def agreement(record: Record) -> str:
    """Each measure with its rank correlation with truth, and how many orders it ranks behind the energy order."""
    cells = {purpose: record["results"][purpose] for purpose in PURPOSES if record["results"][purpose]["networks"]}
    first = next(iter(cells.values()))
    every = dict.fromkeys(name for cell in cells.values() for name in cell if name not in APART)
    names = sorted(every, key=lambda name: next(-cell[name]["agreement"][0] for cell in cells.values() if name in cell))
    head, lines = ["measure", "`--metric`"], [[name, f"`{ASKED[name]}`"] for name in names]
    for purpose, cell in cells.items():
        head.append(f"agreement, {purpose} (n {cell['networks']})")
        for line in lines:
            line.append(interval(cell.get(line[0], {}), cell["networks"]))
    head.append("behind energy")
    for line in lines:
        line.append(share(first.get(line[0], {}).get("behind energy")))
    lines.append(["*truth itself*", "", *[""] * len(cells), share(first["truth"]["behind energy"])])
    return table(head, lines)


def interval(cell: Record, networks: int) -> str:
    """A mean, with its interval where there are several networks, and how many where they are others; or nothing."""
    if cell.get("agreement") is None:
        return ""
    mean, *ends = (f"{round(v, 2) + 0.0:+.2f}" for v in cell["agreement"])
    own = cell.get("networks", networks)
    text = f"{mean} [{', '.join(ends)}]" if own >= MIN_NETWORKS else mean
    return text if own == networks else f"{text} (n {own})"


def share(value: Sequence[float] | None) -> str:
    return "" if value is None else f"{100 * value[0]:.0f} %"


def filled(page: str, text: str) -> str:
    """The page with the table under its mark, in place of one that is there; `ValueError` for a page without it."""
    if MARK not in page:
        raise ValueError(f"a page has the mark {MARK.strip()}; this one has not.")
    return guides.filled(page, {TABLE: text})


def main(argv: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(None if argv is None else list(argv))
    record = records.read(RECORD)
    if not record:
        raise SystemExit(f"there is no {RECORD}. Make it with python benchmarks/planted/agreement.py.")
    text = agreement(joined(record, records.read(FURTHER)))
    if given.write:
        GUIDE.write_text(filled(GUIDE.read_text("utf-8"), text), encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
