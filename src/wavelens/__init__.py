"""wavelens explains the decisions of neural networks in the wavelet domain.

`attribute(model, x, target, domain=…, method=…)` is the one call; `core` has the core classes. The examples of this
package share a classifier of two classes and a picture:

>>> import torch
>>> import wavelens as wl
>>> linear = torch.nn.Linear(64, 2, bias=False, dtype=torch.float64)
>>> _ = linear.weight.data.copy_(torch.arange(128.0).reshape(2, 64).sin() / 16)
>>> model = torch.nn.Sequential(torch.nn.Flatten(), linear, torch.nn.Tanh()).eval()
>>> x = torch.arange(64.0, dtype=torch.float64).reshape(1, 1, 8, 8).cos()
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

from wavelens.version import __version__ as __version__

if TYPE_CHECKING:
    from wavelens.public import *  # noqa: F403
    from wavelens.public import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """A module of the package, or a public name: PyTorch is imported once one of them is used, not before."""
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module 'wavelens' has no attribute {name!r}")
        if not name.startswith("__") and find_spec(f"wavelens.{name}"):
            return importlib.import_module(f"wavelens.{name}")
        public = importlib.import_module("wavelens.public")
        if not hasattr(public, name):
            raise AttributeError(f"module 'wavelens' has no attribute {name!r}")
        globals().update({one: getattr(public, one) for one in public.__all__ if hasattr(public, one)})
        return getattr(public, name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
