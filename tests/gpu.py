"""A GPU that is not there: tensors that say they lie on one, and that refuse to meet tensors of the CPU as CUDA's do.

Inside `pretended` every tensor lies on the GPU but those that are seen to be made on the CPU: by a function without
`device`, by `.cpu()` or `.to("cpu")`, or from such tensors alone. Numbers are computed on the CPU all the while, so
results can be compared with the CPU's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from wavelens.domains import filterbank
from wavelens.frontends import mel

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
ACROSS = (Tensor.copy_, Tensor.backward)  # these take tensors of two devices
LISTS = (torch.cat, torch.stack)  # these refuse a single number of the CPU too
READS = (Tensor.numpy, Tensor.__array__)
made_here = torch.from_numpy


class Generator(torch.Generator):
    """A CPU's generator that knows the device it was asked for."""

    def __new__(cls, device: torch.device | str = "cpu") -> "Generator":
        self = super().__new__(cls)
        self.place = torch.device(device)
        return self


def near(t: Tensor) -> bool:
    return t.__dict__.get("near", False)


def mark(values: object, place: torch.device) -> None:
    for t in tree_leaves(values):
        if isinstance(t, Tensor):
            t.__dict__["near"] = place == CPU


class Pretended(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if function == Tensor.device.__get__:
            return CPU if near(args[0]) else GPU
        if function == Tensor.is_cuda.__get__:
            return not near(args[0])
        if function == Tensor.data.__set__:
            mark(args[0], CPU if near(args[1]) else GPU)
        if function in READS and not near(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if function in (Tensor.to, Tensor.cpu, Tensor.cuda):
            return self._moved(function, *args, **kwargs)
        named = kwargs.pop("device", None)
        place = torch.device(named or "cpu") if named or not tensors else self._place(function, args, tensors)
        source = kwargs.get("generator")
        if source is not None and source.place.type != place.type:
            raise RuntimeError(f"Expected a '{place.type}' device type for generator but found '{source.place.type}'")
        found = function(*args, **kwargs)
        given = any(found is t for t in tensors)
        if given and named and near(found) != (place == CPU):
            found, given = found.clone(), False
        if not given:
            mark(found, place)
        return found

    def _place(self, function, args, tensors) -> torch.device:
        """Where the tensors of a call are; `RuntimeError` where they are not together."""
        if function == Tensor.__getitem__ or function == Tensor.__setitem__:
            chosen = [t for t in tree_leaves(args[1]) if isinstance(t, Tensor)]
            if near(args[0]) and not all(map(near, chosen)):
                raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
            tensors = [t for t in tensors if not any(t is index for index in chosen)]
        if function in ACROSS:
            tensors = tensors[:1]
        here = [t for t in tensors if near(t)]
        if len(here) == len(tensors):
            return CPU
        if any(t.ndim > 0 or function in LISTS for t in here):
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
                f"({getattr(function, '__name__', function)})"
            )
        return GPU

    def _moved(self, function, x, *args, **kwargs):
        place = CPU if near(x) else GPU
        if function in (Tensor.cpu, Tensor.cuda):
            to, args = CPU if function == Tensor.cpu else GPU, ()
        else:
            to = kwargs.pop("device", None)
            others = [a for a in args if isinstance(a, Tensor)]
            named = [a for a in args if isinstance(a, str | torch.device)]
            args = tuple(a.dtype if isinstance(a, Tensor) else a for a in args if not isinstance(a, str | torch.device))
            to = (CPU if near(others[0]) else GPU) if others else torch.device(named[0]) if named else to or place
        to = torch.device(to)
        found = x.to(*args, **kwargs) if args or kwargs else x
        if to.type == place.type:
            if found is not x:
                mark(found, place)
            return found
        found = found.clone() if found is x else found
        mark(found, to)
        return found


@contextmanager
def pretended(free: int = 2**30) -> Iterator[None]:
    """Every tensor lies on a GPU with so many free bytes, but what is made on the CPU."""

    def from_numpy(values):
        found = made_here(values)
        mark(found, CPU)
        return found

    def forget():
        for cached in (filterbank._constant, filterbank._blocks, mel.mel_matrix):
            cached.cache_clear()

    cuda = {
        "get_rng_state": lambda device=None: torch.zeros(8, dtype=torch.uint8),
        "set_rng_state": lambda state, device=None: None,
        "mem_get_info": lambda device=None: (free, 2 * free),
        "memory_reserved": lambda device=None: 0,
        "memory_allocated": lambda device=None: 0,
        "empty_cache": lambda: None,
        "default_generators": (torch.default_generator,),
    }
    forget()
    with (
        mock.patch.multiple(torch.cuda, **cuda),
        mock.patch.object(torch, "from_numpy", from_numpy),
        mock.patch.object(torch, "Generator", Generator),
        mock.patch.object(torch.autograd, "has_torch_function", return_value=False),  # what runs backward is seen too
        Pretended(),
    ):
        try:
            yield
        finally:
            forget()


def is_far(t: Tensor) -> bool:
    return not near(t)
