"""`wavelens app`: explanations in a browser."""

from __future__ import annotations

import sys
from dataclasses import replace
from getpass import getpass
from importlib.util import find_spec
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from wavelens import app as browser_app
from wavelens import models
from wavelens.app import Limits, Served
from wavelens.app.passwords import check_password
from wavelens.cli.model_options import load_model, with_model_options
from wavelens.cli.shared_options import DeviceName
from wavelens.cli.terminal import Terminal
from wavelens.explaining import kind_called
from wavelens.explaining.arguments import device_called
from wavelens.models import LoadedModel, Options
from wavelens.models.pairs import NeedsText
from wavelens.optional import optional

FIRST_PROMPT = "something"


@with_model_options
def app(
    model: Annotated[
        list[str] | None,
        typer.Option(help=f"A classifier to offer: {models.FORMS}; may be repeated.", show_default=models.EMBEDDED),
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option(help="A checkpoint, or MODEL=CHECKPOINT where there are several models.")
    ] = None,
    options: Options = Options(),
    host: Annotated[
        str, typer.Option(help="Interface to bind: 127.0.0.1 for this machine only, 0.0.0.0 for the network.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on.", show_default="the first free from 7860")
    ] = None,
    megabytes: Annotated[float, typer.Option(min=0.001, help="Maximum upload size in MB.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, help="Maximum length of a sound or video in seconds.")] = 30,
    gradients: Annotated[
        int, typer.Option(min=10, help="Maximum number of gradient evaluations per explanation.")
    ] = 256,
    running: Annotated[int, typer.Option(min=1, help="Requests computed at the same time; further ones queue.")] = 2,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="WAVELENS_PASSWORD", help="Password that visitors need; - asks for it, or reads it from a pipe."
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Further name under which browsers reach the app, such as that of a proxy; may be repeated."),
    ] = None,
    device: DeviceName = None,
) -> None:
    """Explain in a browser. Upload a photo, sound, volume or video; see and hear what the classifier relies on.

    Runs until it is interrupted with Ctrl-C. Uploads stay on this machine in a temporary folder and are deleted when
    their page is closed. Anyone who can reach --host can use the app; with --password, anyone who also knows it.

    Exit codes: 130, interrupted; 2, an option is wrong.
    """
    if password == "-":
        password = getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if password is not None:
        check_password(password)
    place, console = device_called(device), Terminal()
    names = list(dict.fromkeys(model or [models.EMBEDDED]))
    checkpoints = _checkpoints(names, weights or [])
    _check_alone(names, options)
    if find_spec("gradio") is None:
        optional("gradio", "app")  # says now what is missing; it is imported once its settings are made
    served = []
    for name in names:
        loaded = _load(name, replace(options, weights=checkpoints.get(name)), console)
        served.append(Served(loaded, kind_called(loaded.preprocess.kind)))
    limits = Limits(megabytes=megabytes, seconds=seconds, gradients=gradients, running=running)

    def ready(address: str) -> None:
        console.print(Text(f"wavelens is at {address}; Ctrl-C ends it"), soft_wrap=True)

    browser_app.serve(
        served,
        host=host,
        port=port,
        limits=limits,
        device=place,
        ready=ready,
        password=password,
        allowed_hosts=allowed_host or (),
    )


def _load(name: str, options: Options, console: Console) -> LoadedModel:
    """The model; one of signals and texts that has no class names begins with a text, beside the prompt field."""
    try:
        return load_model(name, options, console)
    except NeedsText:
        return load_model(name, replace(options, prompts=(FIRST_PROMPT,)), console)


def _check_alone(names: list[str], options: Options) -> None:
    """`ValueError` for options of one model where there are several."""
    own = [f"--{name.replace('_', '-')}" for name in options.given if name != "trust"]
    if own and len(names) > 1:
        raise ValueError(
            f"{', '.join(own)} {'are' if len(own) > 1 else 'is'} for an app of one model; got {', '.join(names)}. Give "
            "a function that returns a LoadedModel, package.module:function, for a model that needs them."
        )


def _checkpoints(names: list[str], given: list[str]) -> dict[str, str]:
    """The checkpoint of each model that has one."""
    checkpoints = {}
    for text in given:
        name = next((name for name in names if text.startswith(f"{name}=")), None)
        if name is None and len(names) > 1:
            raise ValueError(f"--weights must be MODEL=CHECKPOINT, with a MODEL of {', '.join(names)}; got {text!r}.")
        checkpoints[name or names[0]] = text if name is None else text.removeprefix(f"{name}=")
    return checkpoints
