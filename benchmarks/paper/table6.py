"""Table 6: insertion, deletion and faithfulness on MNIST3D, a residual network.

    python benchmarks/paper/table6.py              # 48 volumes, 64 steps
    FULL=1 python benchmarks/paper/table6.py       # all 360 test volumes

Needs the network of mnist3d.py. Volumes and orders as in table 7.
"""

from __future__ import annotations

from functools import cache

import at_hand
import mnist3d
import record
import table7
from record import rows
from torch import Tensor, nn

from wavelens.runs.evaluation import weights_digest

SMALL = {"volumes": 48, "steps": 64, "effort": 25}
FULL = {"volumes": 360}


@cache
def volumes() -> Tensor:
    return mnist3d.volumes("test")[0]


@cache
def network() -> nn.Module:
    return mnist3d.network().module


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {name: getattr(given, name) for name in ("steps", "effort")}
    keys = [{"volume": int(k)} for k in at_hand.drawn(range(len(volumes())), given.volumes)]

    def row(volume: int) -> rows.Row:
        return table7.judged(network(), volumes()[volume : volume + 1], str(volume), **settings)

    constants, made_by = table7.made_with(given.effort), {"weights": weights_digest(network())}
    found = rows.each(rows.place("table6"), settings | constants | made_by, keys, row)
    whole = {
        "title": "Table 6: MNIST3D",
        "data": f"clouds made of scikit-learn's digits (mnist3d.py), test split, {at_hand.DRAW}",
        "volumes": len(found),
        "settings": settings,
        **constants,
        "seconds": round(sum(one["seconds"] for one in found)),
        "networks": {"residual": table7.summary(found)},
    }
    record.write("table6", whole, given.results)


if __name__ == "__main__":
    main()
