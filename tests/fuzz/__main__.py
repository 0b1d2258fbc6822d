"""`python -m fuzz`: carries out cases, names those that fail, and ends with 1 if there are any."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from fuzz.worker import Verdict, Worker


def verdicts(cases: Iterable[int], seed: int, workers: int = 1, keep: Path | None = None) -> Iterator[Verdict]:
    """The verdict on each case, by `workers` processes."""
    shares = [list(cases)[k::workers] for k in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        yield from chain.from_iterable(pool.map(lambda share: _carried_out(share, seed, keep), shares))


def _carried_out(cases: list[int], seed: int, keep: Path | None) -> list[Verdict]:
    with Worker(seed, keep) as worker:
        return [worker(case) for case in cases]


def main() -> int:
    options = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    options.add_argument("--cases", type=int, default=3000, help="cases 0 to this number less one")
    options.add_argument("--seed", type=int, default=0, help="another seed has other cases")
    options.add_argument("--workers", type=int, default=2, help="processes")
    options.add_argument("--case", type=int, help="this case alone; what it reads is left in the folder fuzz-case")
    given = options.parse_args()
    start = time.monotonic()
    if given.case is None:
        found = list(verdicts(range(given.cases), given.seed, given.workers))
    else:
        found = list(verdicts([given.case], given.seed, keep=Path("fuzz-case").absolute()))
    faults = [one for one in found if one.fault]
    for one in sorted(faults, key=lambda one: one.case):
        print(f"{one}\n  repeat with: make fuzz SEED={given.seed} CASE={one.case}")
    outcomes = ", ".join(f"{count} {name}" for name, count in Counter(one.outcome for one in found).most_common())
    print(
        f"{len(found)} cases of seed {given.seed} in {time.monotonic() - start:.0f} s: {outcomes}; {len(faults)} fail"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
