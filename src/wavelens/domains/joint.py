"""Several named signals as one: their samples side by side, each signal in a domain of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Layout, Scale
from wavelens.side_by_side import pack, unpack


@dataclass(frozen=True)
class Joint(Domain):
    """Named signals packed into one, `(batch, 1, samples)`: the samples of all channels of the first, then the second …

    `shapes` are `(channel, *axes)` of each. Coefficients are packed likewise, `(batch, 1, size)`: signal by signal, and
    in it place by place with its channels side by side. Scales are those of the signals, with the signal's name in
    front.
    """

    names: tuple[str, ...]
    domains: tuple[Domain, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, signals: Mapping[str, Tensor], domains: Mapping[str, Domain]) -> Joint:
        """The domain of these signals `(batch, channel, *axes)`; `ValueError` unless each has a domain."""
        if other := [f"{name}={domain!r}" for name, domain in domains.items() if not isinstance(domain, Domain)]:
            raise ValueError(f"every signal must have a domain such as DWT('haar'); got {', '.join(other)}.")
        if signals.keys() != domains.keys():
            raise ValueError(
                f"every signal must have a domain; got signals {', '.join(signals)} and domains {', '.join(domains)}."
            )
        shapes = tuple(tuple(x.shape[1:]) for x in signals.values())
        return cls(tuple(signals), tuple(domains[name] for name in signals), shapes)

    @property
    def samples(self) -> dict[str, slice]:
        """Where each signal's samples lie among all."""
        return _slices(self.names, [math.prod(shape) for shape in self.shapes])

    @property
    def parts(self) -> dict[str, slice]:
        """Where each signal's coefficients lie among all."""
        sizes = [shape[0] * layout.size for shape, layout in zip(self.shapes, self.layouts.values(), strict=True)]
        return _slices(self.names, sizes)

    @property
    def layouts(self) -> dict[str, Layout]:
        """The layout of each signal in its own domain."""
        triples = zip(self.names, self.domains, self.shapes, strict=True)
        return {name: domain.layout(shape[1:]) for name, domain, shape in triples}

    def pack(self, signals: Mapping[str, Tensor]) -> Tensor:
        """Signals `(batch, channel, *axes)` side by side, `(batch, 1, samples)`."""
        return pack(signals[name] for name in self.names)

    def unpack(self, x: Tensor) -> dict[str, Tensor]:
        """The signals of `(…, 1, samples)`, `(…, channel, *axes)` each."""
        return unpack(x, dict(zip(self.names, self.shapes, strict=True)))

    def split(self, c: Coefficients) -> dict[str, Coefficients]:
        """Each signal's coefficients in its own layout, `(…, channel, size)`."""
        return {name: Coefficients(data, layout) for name, data, layout in self._split(c.data)}

    def joined(self, parts: Mapping[str, Coefficients]) -> Coefficients:
        """The reverse of `split`; a channel of 1 serves all channels of its signal."""
        layout = self.layout((self.samples[self.names[-1]].stop,))
        pieces = []
        for name, shape in zip(self.names, self.shapes, strict=True):
            data = parts[name].data
            every = data.expand(*data.shape[:-2], shape[0], data.shape[-1])
            pieces.append(every.transpose(-2, -1).flatten(-2))
        return Coefficients(torch.cat(pieces, -1).unsqueeze(-2), layout)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        if signal_shape != (sum(map(math.prod, self.shapes)),):
            raise ValueError(f"signals of shapes {self.shapes} have other samples than {signal_shape}.")
        bands = [band for name, layout in self.layouts.items() for band in self._named(name, layout.bands)]
        is_complex = any(layout.is_complex for layout in self.layouts.values())
        return Layout(self, signal_shape, tuple(bands), is_complex)

    def least_size(self, signal_shape: tuple[int, ...]) -> int:
        pairs = zip(self.domains, self.shapes, strict=True)
        return sum(shape[0] * domain.least_size(shape[1:]) for domain, shape in pairs)

    def scales(self, layout: Layout) -> list[Scale]:
        scales: list[Scale] = []
        for name, own in self.layouts.items():
            for scale in own.scales().values():
                bands = self._named(name, scale.bands)
                scales.append(Scale(f"{name} {scale.name}", bands, len(scales), is_detail=scale.is_detail))
        return scales

    def scales_along(self, layout: Layout, axis: int) -> list[Scale]:
        raise self._no_places()

    def spread(self, values: Tensor, band: Band, layout: Layout) -> Tensor | None:
        raise self._no_places()

    def _no_places(self) -> ValueError:
        return ValueError(
            f"several signals have no places in common; map them one by one, such as attributions[{self.names[0]!r}]."
        )

    def bind(self, x: Tensor) -> Joint:
        signals = self.unpack(x)
        return replace(self, domains=tuple(d.bind(signals[n]) for n, d in zip(self.names, self.domains, strict=True)))

    def at(self, items: Tensor | slice) -> Joint:
        domains = tuple(domain.at(items) for domain in self.domains)
        return (
            self if all(a is b for a, b in zip(domains, self.domains, strict=True)) else replace(self, domains=domains)
        )

    def bound_tensors(self) -> dict[str, Tensor]:
        pairs = zip(self.names, self.domains, strict=True)
        return {f"{name}.{key}": value for name, domain in pairs for key, value in domain.bound_tensors().items()}

    def rebound(self, tensors: dict[str, Tensor]) -> Joint:
        domains = []
        for name, domain in zip(self.names, self.domains, strict=True):
            own = {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}
            domains.append(domain.rebound(own))
        return replace(self, domains=tuple(domains))

    def analysis(self, x: Tensor) -> Coefficients:
        signals = self.unpack(x)
        pairs = zip(self.names, self.domains, strict=True)
        return self.joined({name: domain.analysis(signals[name]) for name, domain in pairs})

    def synthesis(self, c: Coefficients) -> Tensor:
        return self.pack({name: part.synthesis() for name, part in self.split(c).items()})

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        gradients, layouts = self.unpack(g), self.layouts
        pairs = zip(self.names, self.domains, strict=True)
        return self.joined({name: domain.adjoint(gradients[name], layouts[name]) for name, domain in pairs})

    def _split(self, data: Tensor) -> Iterator[tuple[str, Tensor, Layout]]:
        for (name, piece), shape, layout in zip(self.parts.items(), self.shapes, self.layouts.values(), strict=True):
            own = data[..., 0, piece].unflatten(-1, (layout.size, shape[0])).transpose(-2, -1)
            yield name, own.real if own.is_complex() and not layout.is_complex else own, layout

    def _named(self, name: str, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        """The bands of a signal with all its channels."""
        channels = self.shapes[self.names.index(name)][0]
        return tuple(replace(b, shape=(*b.shape, channels), part=f"{name} {b.part}".strip()) for b in bands)


def _slices(names: tuple[str, ...], sizes: list[int]) -> dict[str, slice]:
    slices, start = {}, 0
    for name, size in zip(names, sizes, strict=True):
        slices[name] = slice(start, start + size)
        start += size
    return slices
