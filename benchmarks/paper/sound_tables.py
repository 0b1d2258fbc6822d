"""The tables of the guide on listening, from the records of `sound.py` and `listening.py`.

python benchmarks/paper/sound_tables.py          # print them
python benchmarks/paper/sound_tables.py --write  # and put each under its `<!-- sound: NAME -->` in the page

Soft masks of sound.py are shown of records that say by which rule they were made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import guides
from harness.guides import number, table
from record import RESULTS

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "listening.md"
KIND = "sound"
Record = dict[str, Any]
NETWORKS = ("micro-acdnet", "yamnet")
FIGURES = {"kept": 2, "kept_corruption": 2, "ratio": 1, "si_sdr": 1}  # and their digits
MASKS = {
    "WAM-IG 0.01": "WAM-IG, top 1 %",
    "WAM-IG 0.1": "WAM-IG, top 10 %",
    "WAM-IG 0.3": "WAM-IG, top 30 %",
    "WAM-IG soft": "WAM-IG, soft",
    "WAM-SG 0.1": "WAM-SG, top 10 %",
    "WAM-SG × z 0.1": "WAM-SG × z, top 10 %",
    "WAM-SG × z soft": "WAM-SG × z, soft",
    "energy 0.01": "\\|z\\|, top 1 %",
    "energy 0.1": "\\|z\\|, top 10 %",
    "energy 0.3": "\\|z\\|, top 30 %",
    "energy soft": "\\|z\\|², soft",
    "random 0.1": "random, top 10 %",
    "oracle 0.1": "oracle, top 10 %",
}
HEARD = {"snr": 1, "si_sdr": 1, "flatness": 2, "click": 0, "step": 2}
LISTENED = {
    "greedy 5 %, haar": "greedy 5 %, haar",
    "greedy 5 %, db4": "greedy 5 %, db4",
    "greedy 5 %, db16": "greedy 5 %, db16",
    "greedy as loud, db16": "greedy, as loud as soft, db16",
    "soft, 0.2 s, db4": "soft 0.2 s, db4",
    "soft, 0.2 s, db16": "soft 0.2 s, db16",
    "soft, 0.5 s, db16": "soft 0.5 s, db16",
}


def rebuilt(made: Record, kind: str) -> str:
    """What each mask keeps, Micro-ACDNet's on the left and YAMNet's on the right."""
    both = [made["results"][f"{name}, {kind}"] for name in NETWORKS]
    names = [name for name in MASKS if "soft rule" in made or not name.endswith("soft")]
    none = [part for one in both for part in ("1", "1", *_means(one, {"ratio_before": 1, "si_sdr_before": 1}))]
    lines = [
        ["none", *none],
        *([MASKS[name], *(part for one in both for part in _means(one["db4"][name], FIGURES))] for name in names),
    ]
    return table(["mask", *["kept", "of the corruption", "ratio", "SI-SDR"] * 2], lines)


def listening(made: Record) -> str:
    """What a listener meets, with noise on the left and with another class on the right."""
    lines = [
        [shown, *(part for kind in ("noise", "overlap") for part in _means(made["results"][kind][name], HEARD))]
        for name, shown in LISTENED.items()
    ]
    return table(["mask", *["SNR", "SI-SDR", "flatness", "click", "step"] * 2], lines)


def _means(cell: Record, digits: dict[str, int]) -> list[str]:
    return [number(cell[name], count, interval=False) for name, count in digits.items()]


def tables(results: Path = RESULTS) -> dict[str, str]:
    sounds = guides.record(results, "sound")
    return {
        "noise": rebuilt(sounds, "noise"),
        "another class": rebuilt(sounds, "overlap"),
        "listening": listening(guides.record(results, "listening")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        PAGE.write_text(guides.filled(PAGE.read_text("utf-8"), tables(), KIND), encoding="utf-8")
    print("\n\n".join(f"{name}\n\n{text}" for name, text in tables().items()))


if __name__ == "__main__":
    main()
