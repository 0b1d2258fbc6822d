"""How far further measures of `wavelens.metrics` agree with planted truth, over the orders of agreement.py.

    python benchmarks/planted/agreement_further.py                                   # all networks; resumes
    python benchmarks/planted/agreement_further.py --tasks "orientation;pitch" --architectures "convolutions, max"

Removal of segments and with neighbours in place, transfer to a network of another seed, and tests of randomised
weights. The latter ask for an explanation of another network, so they have no number for controls, and read
magnitudes. Truth, orders and networks are those of agreement.py. results/agreement-further.json; tables.py and guide.py
put it beside agreement.json.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import agreement
import common
import torch
from agreement import Judged, mean
from torch import nn

from wavelens import metrics, planted
from wavelens.masks.ranking import signed

STEPS, SAMPLES = 8, 2  # of curves; copies of the input, and networks with reset weights
SIGNS = {  # 1 where more is better
    "irof": 1,
    "road": -1,
    "transfer": 1,
    "transfer, log": 1,
    "residual_correlation": -1,
    "smooth_cascading": -1,
    "complexity_rise": 1,
}


@cache
def other(task: str, architecture: str, seed: int) -> nn.Module | None:
    """A network of the same task and architecture from the next seed; None where it is refused."""
    try:
        return planted.network(planted.TASKS[task], architecture, seed=seed + 1).module
    except ValueError:
        return None


def measures(one: Judged) -> dict[str, float]:
    """What the measures of `SIGNS` say of an order."""
    model, network = one.network.module, one.network
    question = (model, one.x, one.labels, one.c)
    cell = {
        "irof": mean(metrics.irof(*question, samples=1, reduce=signed)),
        "road": mean(metrics.road(*question, steps=STEPS, reduce=signed)),
    }
    second = other(network.task.name, network.architecture, network.seed)
    if second is not None:
        onto: dict[str, Any] = {"other": second, "steps": STEPS, "reduce": signed}
        cell["transfer"] = mean(metrics.transfer(*question, **onto))
        cell["transfer, log"] = mean(metrics.transfer(*question, fractions="log", **onto))
    if one.explain is not None:
        again: dict[str, Any] = {"explainer": one.explain}
        own = (model, one.x, one.target, one.c)
        cell["residual_correlation"] = mean(metrics.residual_correlation(*own, samples=SAMPLES, **again))
        cell["smooth_cascading"] = mean(metrics.smooth_cascading(*own, samples=SAMPLES, **again))
        cell["complexity_rise"] = mean(metrics.complexity_rise(*own, **again))
    return cell


def main(argv: list[str] | None = None) -> None:
    given = common.options(__doc__, argv, items=agreement.ITEMS)
    settings = {"items": given.items, "steps": STEPS, "samples": SAMPLES, "measures": list(SIGNS)}
    settings |= {"orders": list(map(str, agreement.ORDERS)), "effort": agreement.orders.EFFORT}
    compute = partial(agreement.row, items=given.items, measured=measures)
    made = common.each("agreement-further", given, lambda task: settings | {"task": repr(task)}, compute)
    whole = {
        "settings": settings,
        "load": common.load(),
        "seconds": round(sum(one["seconds"] for one in made)),
        "of processor": round(sum(one["processor"] for one in made)),
        "results": agreement.summary(made, SIGNS),
        "by network": {
            "networks": [one["key"] for one in made if "measures" in one],
            "measures": [one["measures"] for one in made if "measures" in one],
        },
    }
    common.records.write(given.results / "agreement-further.json", whole)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
