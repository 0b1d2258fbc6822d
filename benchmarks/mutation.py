"""Mutation testing: how many small faults of methods, metrics and domains are noticed by the tests of their modules?

    python benchmarks/mutation.py --mutants 40            # of each package; resumes; about ten minutes of one core
    python benchmarks/mutation.py --mutants 40 --again    # those that survived once more, after tests were added

Mutants (`harness/mutants.py`) are drawn at random from all places in the functions of a package, with a fixed seed, so
that fewer are the first of more. For each of them the tests of `TESTS` run in a process of its own, in which the module
is compiled from the changed tree: no file is changed. A mutant is noticed where a test fails, or takes more than
`MAX_SECONDS` of the processor; without a mutant they have to pass, so run the suite first. What survives is read:
`EQUIVALENT` has those that compute the same. The share that is noticed, with Wilson's 95 % interval, goes to
benchmarks/results/mutation.json.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import math
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import numpy  # noqa: F401  # imported before the fork, as torch is: once for all mutants
import pytest
import pywt  # noqa: F401
import torch
from harness.mutants import mutated, places

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "wavelens"
RECORD = Path(__file__).parent / "results" / "mutation.json"
PACKAGES = ("methods", "metrics", "domains")
MAX_SECONDS = 120
KEPT = Path(os.environ.get("WAVELENS_OUT", "wavelens-out")) / "mutation.jsonl"
Row = dict[str, Any]

LAWS = "tests/test_attribution.py"
SMALL = "and (Identity or (haar and periodization))"  # of a law over all domains, two
BLACK_BOX = (("tests/test_black_box.py", ""), ("tests/test_field_types.py", ""))
JUDGED = "tests/test_metrics.py"
TESTS: dict[str, Sequence[tuple[str, str]]] = {  # of a module: files, each with the `-k` of pytest
    "methods/adapters": (("tests/test_adapters.py", ""),),
    "methods/adaptive": (("tests/test_coarse_to_fine.py", "tolerance or room"), (LAWS, "Adaptive or limit")),
    "methods/attnlrp": (("tests/test_attnlrp.py", ""),),
    "methods/averages": (
        ("tests/test_once_unnoticed.py", "noise"),
        ("tests/test_noise.py", SMALL[4:] + " or wrong or interval or several or constant or exact"),
        (LAWS, f"(literal or wrong or batch) and (Grad or methods) {SMALL}"),
        (LAWS, "wrong_methods"),
    ),
    "methods/blurred": (("tests/test_blurred.py", ""),),
    "methods/coalitions": BLACK_BOX,
    "methods/coarse_to_fine": (("tests/test_coarse_to_fine.py", ""),),
    "methods/decisions": ((LAWS, f"literal and (Decision or Directions) {SMALL}"), (LAWS, "wrong_methods")),
    "methods/game": (*BLACK_BOX, ("tests/test_shapley.py", "")),
    "methods/gradient": ((LAWS, f"literal and (Saliency or InputTimes) {SMALL}"), ("tests/test_noise.py", "saliency")),
    "methods/hierarchical": BLACK_BOX,
    "methods/hsic": BLACK_BOX,
    "methods/kernelshap": BLACK_BOX,
    "methods/lift": (
        ("tests/test_bound.py", ""),
        ("tests/test_coarse_to_fine.py", "standard_error"),
        (LAWS, f"(literal or several) {SMALL}"),
    ),
    "methods/octaves": (("tests/test_accounts.py", "octave"),),
    "methods/owen": (("tests/test_owen.py", ""),),
    "methods/partitions": (("tests/test_shapley.py", ""), ("tests/test_owen.py", ""), *BLACK_BOX),
    "methods/paths": (
        (LAWS, f"(literal or complete) and (Integrated or Expected) {SMALL}"),
        (LAWS, "path or baseline or expectation or wrong or Adaptive"),
        ("tests/test_coarse_to_fine.py", "standard_error"),
        ("tests/test_signals.py", "baseline"),
    ),
    "methods/rise": BLACK_BOX,
    "methods/routes": (("tests/test_coarse_to_fine.py", ""), ("tests/test_signals.py", "baseline or path")),
    "methods/sampling": (
        ("tests/test_once_unnoticed.py", ""),
        (LAWS, "Adaptive or batches or standard_error or single_samples"),
        (LAWS, f"literal and (SmoothGrad or VarGrad or SquareGrad) {SMALL}"),
    ),
    "methods/shapley": (("tests/test_shapley.py", ""), ("tests/test_once_unnoticed.py", "shapley")),
    "methods/shuffles": (("tests/test_curve_starts.py", "shuffled or zero or path"), (LAWS, f"shuffled {SMALL}")),
    "methods/smooth_masks": BLACK_BOX,
    "methods/sobol": BLACK_BOX,
    "metrics/complexity": (("tests/test_localisation.py", "coefficient or gini or sparseness"), (JUDGED, "unit")),
    "metrics/controls": (("tests/test_localisation.py", "controls"), ("tests/test_curves.py", "")),
    "metrics/correlation": (
        ("tests/test_randomization.py", "correlation or rounding or interval"),
        ("tests/test_fidelity.py", ""),
    ),
    "metrics/curves": (("tests/test_curves.py", ""), ("tests/test_curve_starts.py", "")),
    "metrics/dependence": (("tests/test_dependence.py", ""),),
    "metrics/faithfulness_measures": (
        ("tests/test_metric_values.py", ""),
        ("tests/test_evaluate.py", "metric or energy or curve or another_network"),
        ("tests/test_curve_starts.py", "metric or logit"),
    ),
    "metrics/fidelity": (("tests/test_fidelity.py", ""),),
    "metrics/imputation": (("tests/test_imputation.py", ""), ("tests/test_signals.py", "road")),
    "metrics/infidelity": (("tests/test_fidelity.py", "infidelity or faithful or options"),),
    "metrics/localisation": (("tests/test_localisation.py", ""),),
    "metrics/map_measures": (("tests/test_metric_values.py", ""), ("tests/test_evaluate.py", "metric or pointing")),
    "metrics/measures": (("tests/test_metric_values.py", ""), ("tests/test_once_unnoticed.py", "median")),
    "metrics/metric": (
        ("tests/test_metric_values.py", ""),
        ("tests/test_own_commands.py", ""),
        ("tests/test_dependence.py", "file"),
        ("tests/test_docstrings.py", "metric"),
    ),
    "metrics/perturbation": (
        (JUDGED, "translation or attribution or target or name"),
        ("tests/test_curves.py", ""),
        ("tests/test_fidelity.py", ""),
    ),
    "metrics/randomization": (("tests/test_randomization.py", ""),),
    "metrics/removals": (("tests/test_fidelity.py", ""), ("tests/test_segments.py", "")),
    "metrics/segments": (("tests/test_segments.py", ""),),
    "metrics/several": (("tests/test_signals.py", ""), ("tests/test_bound.py", "signals")),
    "metrics/stability": (("tests/test_randomization.py", "sensitivity or options"), (JUDGED, "sensitivity and alone")),
    "metrics/starts": (("tests/test_curve_starts.py", ""),),
    "metrics/transfer": (("tests/test_evaluate.py", "transfer"), (JUDGED, "transfer")),
    "domains/balanced": (("tests/test_tree.py", ""),),
    "domains/constantq": (("tests/test_time_frequency.py", "ConstantQ or librosa or click or tone or cannot or fast"),),
    "domains/cosine": (("tests/test_time_frequency.py", "Cosine or cosine"), ("tests/test_complex.py", "Cosine")),
    "domains/dualtree": (("tests/test_dualtree.py", ""),),
    "domains/dualtree_filters": (("tests/test_dualtree.py", ""),),
    "domains/fourier": (("tests/test_complex.py", ""),),
    "domains/frequency_bands": (("tests/test_frequency_bands.py", ""),),
    "domains/graph": (("tests/test_graph.py", ""),),
    "domains/joint": (("tests/test_signals.py", ""), ("tests/test_least_size.py", "")),
    "domains/linear_map": (("tests/test_linear_maps.py", SMALL[4:]), ("tests/test_dwt.py", "adjoint or precision")),
    "domains/octaves": (
        ("tests/test_packets.py", "levels"),
        ("tests/test_complex.py", ""),
        ("tests/test_time_frequency.py", "Cosine or ConstantQ"),
    ),
    "domains/packets": (("tests/test_packets.py", ""),),
    "domains/shearlets": (("tests/test_shearlets.py", ""), ("tests/test_least_size.py", "")),
    "domains/shifted": (("tests/test_shifted.py", ""), ("tests/test_least_size.py", "")),
    "domains/stationary": (("tests/test_packets.py", "tationary or shift"),),
    "domains/stft": (("tests/test_time_frequency.py", "STFT or torch or cannot or tone or click"),),
    "domains/text": (("tests/test_text.py", ""),),
    "domains/tree": (("tests/test_tree.py", ""),),
    "domains/undecimated": (
        ("tests/test_packets.py", "tationary or shift"),
        ("tests/test_dwt.py", "Stationary and (synthesis or adjoint)"),
    ),
}
DWT = (
    ("tests/test_dwt.py", "pywavelets or adjoint or wrong or delay or centre or axes or haar_in"),
    ("tests/test_scales.py", ""),
)
TESTS |= {f"domains/{name}": DWT for name in "butterfly delays dwt filterbank separable identity linear".split()}
EQUIVALENT = {  # of a mutant that computes the same, as it is printed: why
    "domains/tree:209 #194 number: 0 → -1": "places along one axis are one column, first and last",
    "metrics/imputation:115 #91 number: 1 → 0": "what is divided by it is not taken there",
    "methods/hsic:76 #30 number: 1 → 2": "signs are centred before they are used",
    "methods/coalitions:21 #9 comparison: _uniform(seed, k, groups) < 0.5 → _uniform(seed, k, groups) <= 0.5": (
        "a uniform number is 0.5 once in 2⁵³ draws"
    ),
    "metrics/correlation:63 #56 number: 1 → 2": "ranks are centred before they are compared",
    "metrics/curves:270 #87 number: True → False": "both have one entry per side",
    "methods/coalitions:31 #20 number: 0 → -1": "the chances have one dimension",
    "metrics/dependence:162 #37 number: 0 → -1": "the magnitudes of an attribution have one channel, first and last",
}


class Mutated(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Finds one module, and compiles it from a tree in place of its file."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        super().__init__(name, str(path))
        self.tree = tree

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, name: str) -> Any:
        return compile(self.tree, self.path, "exec")

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None


def drawn(package: str, count: int, seed: int) -> list[Row]:
    """So many mutants of a package, drawn without replacement; fewer are the first of more."""
    files = [path for path in sorted((SOURCE / package).glob("*.py")) if path.stem != "__init__"]
    every = [(path, number) for path in files for number in range(places(path.read_text(encoding="utf-8")))]
    random.Random(f"{seed} {package}").shuffle(every)
    return [_row(package, path, number) for path, number in every[:count]]


def _row(package: str, path: Path, number: int) -> Row:
    _, line, text = mutated(path.read_text(encoding="utf-8"), number)
    source = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return {"module": f"{package}/{path.stem}", "number": number, "line": line, "text": text, "source": source}


def outcome(module: str, number: int) -> str:
    """'noticed', 'too slow' or 'survived', as the tests of a module say of its mutant."""
    assert "wavelens" not in sys.modules, "a fork that has wavelens imports no mutant"
    child = os.fork()
    if child == 0:
        code = int(pytest.ExitCode.INTERNAL_ERROR)
        try:
            code = _tested(module, number)
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "too slow" if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGALRM) else "noticed"
    code = os.WEXITSTATUS(status)
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise ValueError(
            f"each file of a module's tests has some with its -k; of {module} one has none: {TESTS[module]}."
        )
    return "survived" if code == pytest.ExitCode.OK else "noticed"


def _tested(module: str, number: int) -> int:
    """The exit code of pytest, in a process of its own."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1), os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS + 5))
    signal.alarm(20 * MAX_SECONDS)
    os.chdir(ROOT)
    path = SOURCE / f"{module}.py"
    tree, *_ = mutated(path.read_text(encoding="utf-8"), number)
    sys.meta_path.insert(0, Mutated("wavelens." + module.replace("/", "."), path, tree))
    code = 0
    for file, chosen in TESTS[module]:
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", file]
        code = int(pytest.main([*options, *(["-k", chosen] if chosen else [])]))
        if code:
            break
    return code


def interval(noticed: int, count: int) -> list[float]:
    """A share and its 95 % interval (Wilson, 1927)."""
    z, p = 1.96, noticed / count
    middle, arm = p + z * z / (2 * count), z * math.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    return [round(v, 3) for v in (p, (middle - arm) / (1 + z * z / count), (middle + arm) / (1 + z * z / count))]


def kept() -> dict[str, Row]:
    """The outcomes on file, by mutant; the last of each counts."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    return {_name(row): row for row in map(json.loads, lines)}


def _name(row: Row) -> str:
    return f"{row['module']} {row['source']} {row['number']}"


def summary(rows: list[Row]) -> Row:
    """Of some mutants: how many were noticed, and what survived and computes something else."""
    survivors = [row for row in rows if row["outcome"] == "survived"]
    same = [row for row in survivors if label(row) in EQUIVALENT]
    noticed = len(rows) - len(survivors)
    return {
        "mutants": len(rows),
        "noticed": noticed,
        "share": interval(noticed, len(rows)),
        "equivalent": {label(row): EQUIVALENT[label(row)] for row in same},
        "share of those that are not equivalent": interval(noticed, max(1, len(rows) - len(same))),
        "survived": [label(row) for row in survivors if row not in same],
    }


def label(row: Row) -> str:
    return f"{row['module']}:{row['line']} #{row['number']} {row['text']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--only", default="", help="modules whose names hold this; nothing is recorded")
    given = parser.parse_args()
    torch.set_num_threads(1)
    chosen = {package: drawn(package, given.mutants, given.seed) for package in PACKAGES}
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    known = kept()
    for row in (row for rows in zip(*chosen.values(), strict=True) for row in rows if given.only in row["module"]):
        old = known.get(_name(row))
        if old is not None and not (given.again and old["outcome"] == "survived"):
            continue
        start = time.perf_counter()
        known[_name(row)] = row | {"outcome": outcome(row["module"], row["number"])}
        known[_name(row)]["seconds"] = round(time.perf_counter() - start, 1)
        with open(KEPT, "a", encoding="utf-8") as file:
            file.write(json.dumps(known[_name(row)], ensure_ascii=False) + "\n")
        print(known[_name(row)]["outcome"], label(row), flush=True)
    done = {name: [known[_name(row)] for row in rows if _name(row) in known] for name, rows in chosen.items()}
    if not given.only:
        from harness import records  # it imports wavelens, which a fork must not have before its mutant

        made = {name: summary(rows) for name, rows in done.items()}
        every = [row for rows in done.values() for row in rows]
        records.write(RECORD, {"seed": given.seed, "packages": made, "all": summary(every)["share"]})


if __name__ == "__main__":
    main()
