"""`wavelens check`: whether a model can be explained at an input at all, one verdict per line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.text import Text

from wavelens.checks import Findings
from wavelens.checks import check as check_model
from wavelens.cli.model_options import with_model_options
from wavelens.cli.options import check_folder, domain_of, method_of
from wavelens.cli.shared_options import (
    DOMAIN_HELP,
    AgainstText,
    BatchSize,
    DeviceName,
    Files,
    MethodText,
    ModelName,
    Out,
    TargetText,
    each,
    opened,
)
from wavelens.cli.terminal import Terminal, busy, plain
from wavelens.explaining import read_input
from wavelens.explaining.arguments import device_called
from wavelens.explaining.files import inputs, stems
from wavelens.explaining.question import is_target_function, question_of
from wavelens.explaining.request import default_method, fitted
from wavelens.explaining.summary import target_summary
from wavelens.methods.lift import check_method
from wavelens.models import Options
from wavelens.own import text_of

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}
STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "not applicable": "dim"}


@with_model_options
def check(
    files: Files,
    model: ModelName = None,
    options: Options = Options(),
    target: TargetText = None,
    against: AgainstText = None,
    domain: Annotated[str | None, typer.Option(help=DOMAIN_HELP, show_default="as for wavelens explain")] = None,
    method: MethodText = None,
    autocast: Annotated[
        str | None,
        typer.Option(
            help="bfloat16 or float16: also test whether the gradient survives this precision.", show_default="none"
        ),
    ] = None,
    out: Out = Path("wavelens-out"),
    batch_size: BatchSize = None,
    device: DeviceName = None,
) -> None:
    """Check whether explanations can be trusted at these inputs.

    Prints one verdict per line (pass, warn, fail or not applicable, with figures and a remedy) for each input, and
    writes NAME-check.json to the folder --out.

    Exit codes: 0, no check fails (a warning is not a failure); 1, a check fails, or some inputs could not be read (one
    line on stderr says why); 2, no input could be checked, or an option is wrong.
    """
    chosen_domain, chosen_method, chosen_device = domain_of(domain), method_of(method), device_called(device)
    if autocast is not None and autocast not in AUTOCAST:
        raise ValueError(f"--autocast must be one of {', '.join(AUTOCAST)}; got {autocast!r}.")
    check_folder(out)
    console = Terminal()
    loaded, kind = opened(
        model, options, files, chosen_device, console, is_target_function(target), asked=(target, against)
    )
    own = fitted(chosen_domain, kind, loaded)
    chosen_method = default_method(loaded.module) if chosen_method is None else chosen_method
    check_method(loaded.module, chosen_method)
    question = question_of(target, against, loaded)
    check_input = partial(
        check_model,
        loaded.module,
        method=chosen_method,
        autocast=None if autocast is None else AUTOCAST[autocast],
        batch_size=batch_size,
    )
    paths, statuses = inputs(files, kind, loaded.preprocess), []

    def one(path: Path, stem: str) -> list[Path]:
        one_input = read_input(loaded, kind, path, chosen_device)
        explained = question(loaded, one_input.x, one_input.logits, one_input.grid)
        with busy(console, f"checking {path.name}"):
            findings = check_input(one_input.x, explained.target, domain=kind.fit(own, one_input))
        statuses.append(findings.status)
        _print(path, explained.heading, findings, console)
        summary = target_summary(loaded, kind, path, explained) | {
            "domain": text_of(own),
            "method": text_of(chosen_method),
        }
        file = out / f"{stem}-check.json"
        file.write_text(json.dumps(summary | findings.summary(), indent=2) + "\n", encoding="utf-8")
        return [file]

    named = zip(paths, stems(paths, out, kind), strict=True)
    code = each(((str(path), partial(one, path, stem)) for path, stem in named), console)
    raise typer.Exit(max(code, int("fail" in statuses)))


def _print(path: Path, target: str, findings: Findings, console: Console) -> None:
    console.print(Text(f"{plain(str(path))}: {plain(target)}", style="bold"), soft_wrap=True)
    width = max(len(verdict.check) for verdict in findings.verdicts)
    for verdict in findings.verdicts:
        line = Text.assemble(
            (f"{verdict.status:14}  ", STYLES[verdict.status]), f"{verdict.check:{width}}  {plain(verdict.finding)}"
        )
        console.print(line, soft_wrap=True)
        if verdict.remedy:
            console.print(Text(f"{'':14}  {'':{width}}  → {plain(verdict.remedy)}"), soft_wrap=True)
