"""What a check says: a verdict with its figures, and all verdicts on a model at some inputs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

PASS, WARN, FAIL, NOT_APPLICABLE = "pass", "warn", "fail", "not applicable"
WORST_FIRST = (FAIL, WARN, PASS, NOT_APPLICABLE)


@dataclass(frozen=True)
class Verdict:
    """What one check found: `status` is "pass", "warn", "fail" or "not applicable".

    `finding` says in a sentence what was found, with figures; `remedy` what to do about it, empty where nothing is to
    be done; `figures` has the numbers by name.
    """

    check: str
    status: str
    finding: str
    remedy: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in WORST_FIRST:
            raise ValueError(f"status must be one of {', '.join(WORST_FIRST)}; got {self.status!r}.")

    def __str__(self) -> str:
        line = f"{self.status}: {self.check}: {self.finding}"
        return f"{line} {self.remedy}" if self.remedy else line


@dataclass(frozen=True)
class Findings:
    """The verdicts on a model at some inputs, one per check; as text one line each, `findings["precise"]` by name."""

    verdicts: tuple[Verdict, ...]

    @property
    def status(self) -> str:
        """The worst of all: "fail", "warn" or "pass"."""
        statuses = {verdict.status for verdict in self.verdicts}
        return next((status for status in WORST_FIRST if status in statuses), NOT_APPLICABLE)

    def __getitem__(self, check: str) -> Verdict:
        for verdict in self.verdicts:
            if verdict.check == check:
                return verdict
        raise KeyError(
            f"a check must be one of {', '.join(verdict.check for verdict in self.verdicts)}; got {check!r}."
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.verdicts))

    def summary(self) -> dict[str, Any]:
        """For JSON: the worst status, and each verdict; figures that are not finite are None."""
        verdicts = [asdict(verdict) for verdict in self.verdicts]
        for verdict in verdicts:
            figures = verdict["figures"].items()
            verdict["figures"] = {name: value if math.isfinite(value) else None for name, value in figures}
        return {"status": self.status, "verdicts": verdicts}
