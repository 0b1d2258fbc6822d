"""What a score gains when groups of coefficients come and go: accounts that hold up when a scale is taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from wavelens.core import Domain, signal_axes
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.engine.progress import Progress
from wavelens.methods.lift import Lift
from wavelens.methods.partitions import GROUPS, Partition, partition
from wavelens.methods.paths import starting_points
from wavelens.methods.shapley import ScaleShapley, ShapleyValues, values_of_groups
from wavelens.signals import packed, packed_baseline
from wavelens.targets import Several, Target

DEFAULT_METHOD = ScaleShapley()
BY_TARGET = ("values", "alone", "last", "interaction", "standard_error", "score", "baseline_score")


def shapley(
    model: Model,
    x: Tensor | Mapping[str, Tensor],
    target: Target,
    *,
    domain: Domain | Mapping[str, Domain],
    groups: str | Partition = "scales",
    method: ScaleShapley = DEFAULT_METHOD,
    baseline: Any = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
    exact_passes: bool = False,
    progress: Progress = False,
) -> ShapleyValues:
    """The Shapley value of each group of coefficients of `x`, `(batch, channel, *axes)`, and how groups interact.

    `groups` are words as `ScaleShapley` has them, or a `Partition` of one's own; `method` holds the other options.
    No gradient is taken: the model may be any function of signals. `x`, `domain`, `baseline`, `given`,
    `exact_passes` and `progress` are as in `attribute`, several signals included. Up to `method.exact_groups`, 10, the
    values are exact, by 2ⁿ forward passes for each item.

    >>> import torch, wavelens as wl
    >>> x = torch.tensor([[[4.0, 2.0, 1.0, 1.0]]])
    >>> values = wl.shapley(lambda x: x[:, :, 0].prod(1) ** 2, x, None, domain=wl.DWT("haar", levels=1))
    >>> values.names, values.values.sum(), values.score - values.baseline_score
    (('a1', 'd1'), tensor(16.), tensor([16.]))
    """
    if not isinstance(method, ScaleShapley):
        raise ValueError(f"method must be a ScaleShapley(…), which has the options; got {method!r:.80}.")
    if isinstance(x, Mapping):
        model, one, joint = packed(model, x, domain)
        start = packed_baseline(joint, x, baseline, method.baseline)
        options: dict[str, Any] = {"groups": groups, "method": method, "given": given, "batch_size": batch_size}
        options |= {"exact_passes": exact_passes, "progress": progress}
        return shapley(model, one, target, domain=joint, baseline=start, **options)
    if not isinstance(domain, Domain):
        raise ValueError(f"domain must be a domain such as DWT('haar'); got {domain!r}.")
    if not isinstance(groups, str | Partition):
        raise ValueError(f"groups must be one of {', '.join(GROUPS)}, or a Partition; got {groups!r}.")
    engine = Gradients(
        with_given(model, given),
        x,
        target,
        batch_size=batch_size,
        progress=progress,
        progress_label="Shapley values, forward passes",
        exact_passes=exact_passes,
    )
    with engine as ask:
        bound = domain.bind(ask.x)
        lift = Lift(bound, bound.layout(signal_axes(ask.x)))
        if not isinstance(groups, Partition):
            groups = partition(lift.layout, ask.x.shape[1], groups, method.blocks)
        groups.check(ask.x.shape[1], lift.layout.size)
        start = starting_points(ask.x, method.baseline if baseline is None else baseline)
        result = values_of_groups(ask, lift, start, groups, method)
    return result if isinstance(target, Several) else first_target(result)


def first_target(result: ShapleyValues) -> ShapleyValues:
    """Without the targets in front, of which there is one."""
    fields = {name: value for name in BY_TARGET if (value := getattr(result, name)) is not None}
    alone: dict[str, Any] = {name: value[0] for name, value in fields.items()}
    return result._replace(**alone)
