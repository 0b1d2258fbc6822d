"""What the options of a command mean: domain, method, device and folder by their texts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, overload

from wavelens.baselines import EXPLAINERS, EXPLAINING, parse_explainer
from wavelens.baselines.controls import CONTROLS
from wavelens.core import Domain
from wavelens.methods.lift import Method
from wavelens.spec import DOMAINS, METHODS, is_method, parse_own
from wavelens.untrusted import reason_of


def domain_of(text: str | None) -> Domain | None:
    return None if text is None else domain_called(text)


def domain_called(text: str) -> Domain:
    value = parse_own(text, what="domain", choices=DOMAINS)
    if isinstance(value, Domain):
        return value
    what = "the method " if is_method(value) else ""
    raise ValueError(f"--domain takes a domain, such as DWT('db4', levels=3); got {what}{text}.")


@overload
def method_of(text: str) -> Method: ...


@overload
def method_of(text: str | None) -> Method | None: ...


def method_of(text: str | None) -> Method | None:
    if text is None:
        return None
    value = parse_own(text, what="method", choices=METHODS)
    if not is_method(value):
        what = "the domain " if isinstance(value, Domain) else ""
        raise ValueError(
            f"--method takes a method, such as SmoothGrad(samples=25); got {what}{text}. One of your own is called as "
            "method(ask, lifts, baseline)."
        )
    method: Method = value
    return method


def explainer_of(text: str) -> Any:
    """A method, or an explainer or a control, which are called with the model."""
    if isinstance(parse_own(text, (*EXPLAINERS, *CONTROLS), what="method", choices=EXPLAINING), Domain):
        return method_of(text)  # says what a method is
    return parse_explainer(text)


def check_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise FileExistsError(f"--out must be a folder; got the file {out}. Choose another.") from None
    except OSError as error:
        raise OSError(f"cannot create the folder {out}: {reason_of(error)}. Choose another --out.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(f"--out must be a folder that you may write to; got {out}. Choose another.")
