"""`Entry`: one explained input as a report shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from wavelens.accounts import grouped_alike
from wavelens.attribution import Attribution
from wavelens.attribution_header import TENSORS
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.methods.shapley import ShapleyValues
from wavelens.outlines import Outline
from wavelens.pairs import BothSides
from wavelens.reports.numerals import unbroken
from wavelens.reports.views import ReportView, view_called, view_for
from wavelens.wording import in_words
from wavelens.words import WordAccount


@dataclass(frozen=True)
class Chance:
    """A class and how probable the model finds it; None where its score is no probability."""

    index: int
    label: str
    probability: float | None
    logit: float


@dataclass(frozen=True)
class Detected:
    """An object that a detector finds: what it is called, how probable it is, and its box as a reader has it."""

    name: str
    probability: float
    box: str
    explained: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Entry:
    """One input explained: `attribution` `(1, channel, size)` and the `x` `(1, channel, *axes)` that it explains.

    `name` is what the input is called, `label` the explained class, `classes` the model's answer, most probable first.
    `kind` chooses what is shown: "photo", "sound", "volume", "video", "series", "cloud", "text" or a `ReportView` of
    one's own; without it the axes decide. `grid` says where the samples lie. `start` describes the baseline to a
    reader, `note` a line of caution. `further` is the same input read in further domains, each a block of the report.
    `shapley` are the Shapley values of the attribution's scales, or of its octaves, of one item and target as
    `wl.shapley` gives them, to stand beside its signed sums, and `no_shapley` a reason to print where there are none;
    `further_shapley` has such pairs for the further domains. `further_methods` are what other methods find of the same
    input, each in any domain, shown side by side. `command` makes the explanation again, in a shell or in Python;
    `facts` are further lines for the record. `channels` names the channels of `x`; `marks` are spans of samples that
    the target is of, and `region` `(*axes)` is true where it is; `positions` are those of the channels' electrodes, (x,
    y, z) in metres, for maps of the scalp; `words` is a text's account word by word; `objects` are what a detector
    finds, and `outlines` lines over a picture `x`. `sides` is what a text adds, where the account is of a signal and
    its text: the attribution then is the signal's. `parts` are the signals of an input of several, each a block with
    pictures of its own; `x` then is all of them packed, as their `Joint` domain has them. With `whole_labels` labels
    are texts, commas and all; else they are lists of names, of which the first is shown. All texts are shown as they
    are, never as HTML.
    """

    attribution: Coefficients
    x: Tensor
    name: str = ""
    label: str = ""
    classes: Sequence[Chance] = ()
    kind: str | ReportView = ""
    grid: Grid | None = None
    start: str = "the baseline"
    note: str = ""
    command: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    further: Sequence[Coefficients] = ()
    shapley: ShapleyValues | None = None
    no_shapley: str = ""
    further_methods: Sequence[Coefficients] = ()
    further_shapley: Sequence[tuple[ShapleyValues | None, str]] = ()
    channels: Sequence[str] = ()
    marks: Sequence[tuple[float, float]] = ()
    words: WordAccount | None = None
    objects: Sequence[Detected] = ()
    outlines: Sequence[Outline] = ()
    sides: BothSides | None = None
    region: Tensor | None = None
    positions: Sequence[tuple[float, float, float]] = ()
    parts: Sequence[Entry] = ()
    whole_labels: bool = False

    def __repr__(self) -> str:
        shape, what = tuple(self.x.shape[1:]), self.label or "an attribution"
        return f"<Entry {self.name or 'without a name'}: {what}, {shape} in {in_words(self.attribution.layout.domain)}>"

    def __post_init__(self) -> None:
        if len(self.channels) not in (0, self.x.shape[1]):
            raise ValueError(f"channels must name each of {self.x.shape[1]} channels; got {len(self.channels)}.")
        if len(self.positions) not in (0, self.x.shape[1]):
            raise ValueError(
                f"positions must have one entry per channel; got {len(self.positions)} for {self.x.shape[1]}."
            )
        if self.region is not None and self.region.shape != self.x.shape[2:]:
            raise ValueError(
                f"region must be true inside, {tuple(self.x.shape[2:])} as x; got {tuple(self.region.shape)}. Resize "
                "it."
            )
        for one in (self.attribution, *self.further, *self.further_methods):
            self._check(one)
        self._check_shapley()
        if self.view is not None and self.view.axes != self.x.ndim - 2:
            raise ValueError(
                f"the view {self.view.name} shows signals with {self.view.axes} axes; got {self.x.ndim - 2}."
            )

    def _check(self, attribution: Coefficients) -> None:
        axes, data = attribution.layout.signal_shape, attribution.data
        if data.ndim != 3 or len(data) != 1:
            raise ValueError(
                f"an entry must be one item and one target: coefficients (1, channel, size); got {tuple(data.shape)}. "
                "reports.entries(attribution, x) makes one for each."
            )
        if tuple(self.x.shape) != (1, self.x.shape[1], *axes):
            raise ValueError(
                f"x must be the explained signal (1, channel, {', '.join(map(str, axes))}); got {tuple(self.x.shape)}. "
                "Pass the x that was attributed, at the resolution that the model saw."
            )
        if not (data.isfinite().all() and self.x.isfinite().all()):
            raise ValueError(
                "the attribution and the signal of a report must be finite; got NaN or infinity. Look at the model's "
                "gradient."
            )
        self.place.extents(attribution.layout)  # says now whether the grid fits

    def each(self) -> list[Entry]:
        """An entry for each domain, in which the others are left out, and then each of the parts."""
        values = [*self.further_shapley, *[(None, "")] * len(self.further)]
        first = replace(self, further=(), further_shapley=(), further_methods=(), parts=())
        later = replace(first, sides=None if self.sides is None else replace(self.sides, by_scale=None))
        return [
            first,
            *(
                replace(later, attribution=one, shapley=shapley, no_shapley=reason)
                for one, (shapley, reason) in zip(self.further, values, strict=False)
            ),
            *self.parts,
        ]

    def _check_shapley(self) -> None:
        """`ValueError` for Shapley values of another item, or of groups that are neither scales nor octaves."""
        if self.shapley is None:
            return
        names, values = self.shapley.names, self.shapley.values
        try:
            fits = tuple(self.grouped_alike.layout.scales()) == names and tuple(values.shape) == (1, len(names))
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                "shapley must have one value for each scale of one item, "
                f"{', '.join(self.attribution.layout.scales())}, or for each octave; got {tuple(values.shape)} for "
                f"{', '.join(names)}. Pass wl.shapley(model, x, target, domain=…) of this item in the attribution's "
                "domain."
            )

    @property
    def grouped_alike(self) -> Coefficients:
        """The attribution in the groups that its Shapley values are of: its scales, or these joined by octave."""
        return grouped_alike(self.attribution, self.shapley)

    @property
    def has_octaves(self) -> bool:
        """Whether the Shapley values are by octave, and not by scale."""
        return self.grouped_alike is not self.attribution

    @property
    def place(self) -> Grid:
        """The grid; samples, pixels or voxels that lie one apart where none was given."""
        return self.grid or Grid.plain(len(self.attribution.layout.signal_shape))

    @property
    def scale_labels(self) -> dict[str, str]:
        """What each scale spans, for a page: '1–2 px' with a no-break space."""
        return {name: unbroken(label) for name, label in self.place.labels(self.attribution.layout).items()}

    @property
    def index(self) -> int | None:
        """The explained class, where the target is one."""
        text = getattr(self.attribution, "target", "")
        return int(text) if text.isdecimal() else None

    def short(self, label: str) -> str:
        """The first of a class' names, or a text whole."""
        return label if self.whole_labels else label.split(", ")[0]

    @property
    def view(self) -> ReportView | None:
        """What shows this entry; None for signals with more than three axes."""
        if isinstance(self.kind, ReportView):
            return self.kind
        kind = self.kind or ("cloud" if self.place.scattered else "")
        return view_called(kind, self.x.ndim - 2) if kind else view_for(self.place.units)


def entries(
    attribution: Attribution, x: Tensor, names: Sequence[str] = (), labels: Sequence[str] = (), **fields: Any
) -> list[Entry]:
    """An entry for each item of a batch and each of `Several` targets; `fields` are the same in all of them.

    `names` has one text per item, `labels` one per target.
    """
    targets = per_target(attribution)
    count = attribution.data.shape[-3]
    if len(names) not in (0, count) or len(labels) not in (0, len(targets)):
        raise ValueError(
            f"names must have one text for each of {count} items and labels one for each of {len(targets)} targets; "
            f"got {len(names)} and {len(labels)}."
        )
    own: list[dict[str, Any]] = [{"name": name} for name in names] or [{}] * count
    labelled: list[dict[str, Any]] = [{"label": label} for label in labels] or [{}] * len(targets)
    return [
        Entry(one.item(k), x[k : k + 1], **own[k], **label, **fields)
        for k in range(count)
        for one, label in zip(targets, labelled, strict=True)
    ]


def per_target(a: Attribution) -> list[Attribution]:
    """One attribution for each of `Several` targets, or the one that there is."""
    if a.data.ndim == 3:
        return [a]
    parts, count = [], len(a.data)
    rows = a.targets if len(a.targets) == count else tuple((f"number {k + 1} of {a.target}",) for k in range(count))
    for k, row in enumerate(rows):
        own: dict[str, Any] = {name: value for name in TENSORS if (value := getattr(a, name)) is not None}
        own = {name: value if name == "spent" else value[k] for name, value in own.items()}
        text = row[0] if len(row) == 1 else f"[{', '.join(row)}]"
        parts.append(replace(a, data=a.data[k], target=text, targets=(row,), **own))
    return parts
