"""docs/paper.md from what is on record: every number on the page comes from results/*.json or published.json.

    python benchmarks/paper/pages.py [--out docs/paper.md] [--results benchmarks/paper/results]

The text is in page.md; `{{table4.source}}` in it stands for a fragment that a function here makes of table 4's record.
A section whose record is missing says how to make it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from record import KIND, RESULTS, expanded, p_value, parser, table
from verdicts import (
    DIFFERENCES,
    LEAST,
    MARGIN,
    MU_OVER_ENERGY,
    OVER_ENERGY,
    SHUFFLED,
    SIGNIFICANT,
    STARTS,
    WORDS,
    decided,
    equal,
    settled,
    standing,
)

from wavelens.runs.statistics.intervals import holm

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "paper.md"
AGREEMENT = HERE.parent / "planted" / "results" / "agreement.json"
Record = dict[str, Any]
Fragments = dict[str, str]
TITLES = {
    "insertion": "insertion ↑",
    "deletion": "deletion ↓",
    "faithfulness": "faithfulness ↑",
    "mu_fidelity": "μ-fidelity ↑",
    "ff": "FF ↑",
    "fid_in": "Fid-In ↑",
    "shuffled": "from shuffled ↑",
}
AREAS = ("faithfulness", "insertion", "deletion")
WAM = ("WAM-IG", "WAM-SG")
ARCHITECTURES = {"residual": "ResNet3D", "inverted": "EfficientNet3D", "former": "3D Former"}
SHORT = {"IntegratedGradients": "WAM-IG", "SmoothGrad": "WAM-SG", "Saliency": "gradient"}
DATA = {"adrenal": "AdrenalMNIST", "vessel": "VesselMNIST"}


def number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3f}".replace("-", "−")


def estimate(three: Sequence[float | None], sign: str = "") -> str:
    """A mean with its interval, if it has one."""
    if three[0] is None or three[1] is None:
        return number(three[0], sign)
    return f"{number(three[0], sign)} [{number(three[1], sign)}, {number(three[2], sign)}]"


def over(found: Record, name: str = OVER_ENERGY, items: int | None = None) -> str:
    """A difference, bold where it holds after Holm's correction, with ≈ where it lies within the margin."""
    text = estimate(found[name], "+")
    is_equal = name in STARTS and equal(found, name)
    text = f"**{text}**" if decided(found, name, items) and not is_equal else text
    return f"{text} ≈" if is_equal else text


def gaps(found: Record | None) -> str:
    """How much of the rise the sums of a path miss, in the middle of the items; nothing of other methods."""
    return "" if not found or "gap" not in found else f"{100 * found['gap'][0]:.1f} %"


def small(value: float) -> str:
    return f"{value:.1e}".replace("-", "−") if value else "0"


def source(found: Record, items: str) -> str:
    """What was run, on how much, for how long."""
    settings = "".join(f", {name} {value}" for name, value in found.get("settings", {}).items())
    minutes = f", {found['seconds'] / 60:.0f} minutes" if "seconds" in found else ""
    return f"`{found['command']}`: {items}{settings}{minutes}; torch {found['torch']}, {found['hardware']}."


def cell(cells: list[Record], order: str, domain: str) -> Record | None:
    return next((c for c in cells if (c["order"], c["domain"]) == (order, domain)), None)


def domains(cells: list[Record]) -> list[str]:
    return list(dict.fromkeys(c["domain"] for c in cells))


def less(value: Sequence[float | None], energy: Sequence[float | None] | None) -> str:
    """How far a mean lies above the energy order's, where both are known: of means alone, without an interval."""
    known = energy is not None and value[0] is not None and energy[0] is not None
    return number(value[0] - energy[0], "+") if known else "–"  # type: ignore[operator, index]


def measured(title: str, cells: list[Record], domain: str, measures: Sequence[str], paper: Record) -> str:
    """The orders of a domain with their measures; the published ones in the last columns."""
    energy = cell(cells, "energy order", domain) or {}
    has_gaps, has_shuffled = (any(name in c for c in cells) for name in ("gap", SHUFFLED))
    has_ff = "ff" in measures
    rows = [
        [
            c["order"],
            str(c["items"]),
            *([gaps(c)] if has_gaps else []),
            *(estimate(c[m]) for m in measures),
            "" if c["order"] == "energy order" else over(c),
            *(shuffled(c) if has_shuffled else []),
            *(["" if c["order"] == "energy order" else less(c["ff"], energy.get("ff"))] if has_ff else []),
            *(number(paper.get(c["order"], {}).get(m)) for m in measures),
        ]
        for c in cells
        if c["domain"] == domain
    ]
    head = [title, "n", *(["gap"] if has_gaps else []), *(TITLES[m] for m in measures), OVER_ENERGY]
    head += [TITLES["shuffled"], SHUFFLED] if has_shuffled else []
    head += ["FF less energy's"] if has_ff else []
    return table([*head, *(f"paper's {m}" for m in measures)], rows)


def shuffled(c: Record) -> list[str]:
    """Faithfulness from shuffled starts, and how far it is above the energy order's."""
    if "shuffled" not in c:
        return ["–", "–"]
    return [estimate(c["shuffled"]), "" if c["order"] == "energy order" else over(c, SHUFFLED)]


def verdict(title: str, cells: list[Record], domain: str, names: Sequence[str]) -> str:
    """A line that says which of some orders are ahead of the energy order, and which order has the largest mean."""
    most = max(c["items"] for c in cells)
    if most < LEAST:
        return f"- {title}: {most} items decide nothing.\n"
    said = []
    for name, measure in STARTS.items():
        known = [
            c for c in cells if (c["domain"], c["items"]) == (domain, most) and c.get(measure, [None])[0] is not None
        ]
        if known:
            stands = [f"{order} {WORDS[standing(c, name)]}" for order in names if (c := cell(cells, order, domain))]
            best = max(known, key=lambda c: c[measure][0])["order"]
            start = "from zero" if name == OVER_ENERGY else "from shuffled starts"
            said.append(f"{start} {', '.join(stands)}; the largest mean is that of {best}")
    return f"- {title}: {'; '.join(said)}.\n"


def summed(published: Record, kind: str, name: str) -> Record:
    """The published row that is of the same coordinates: table 1 has waveform's WAM beside a spectrogram's methods."""
    if kind == "audio" and name in WAM:
        return dict(published["table3"]["rows"][f"{name} (melspec)"]["clean"])
    if kind == "audio, waveform" and name not in WAM:
        return {}
    return dict(published["table1"]["rows"].get(name, {}).get(kind.partition(",")[0], {}))


def table1(found: Record, published: Record, _: Record) -> Fragments:
    paper, text = published["table1"], []
    for kind, column in found["kinds"].items():
        has_shuffled = any(SHUFFLED in row for row in column["rows"].values())
        rows = [
            [
                name,
                str(row["items"]),
                gaps(row),
                *(estimate(row[m]) for m in AREAS),
                "" if name.startswith("energy order") else over(row),
                *(shuffled(row | {"order": name.partition(" of ")[0]}) if has_shuffled else []),
                *(number(summed(published, kind, name).get(m)) for m in AREAS),
            ]
            for name, row in column["rows"].items()
        ]
        head = [f"{kind}: {column['network']}", "n", "gap", *(TITLES[m] for m in AREAS), OVER_ENERGY]
        head += [TITLES["shuffled"], SHUFFLED] if has_shuffled else []
        text.append(table([*head, *(f"paper's {m}" for m in AREAS)], rows))
    slips = [
        f"{name}, {kind} (insertion less deletion is {number(v['insertion'] - v['deletion'])}, printed is "
        f"{number(v['faithfulness'])})"
        for name, kinds in paper["rows"].items()
        for kind, v in kinds.items()
        if abs(v["insertion"] - v["deletion"] - v["faithfulness"]) > 0.0015
    ]
    networks = ", ".join(f"{kind} {net}" for kind, net in paper["networks"].items())
    return {"networks": networks, "tables": "\n".join(text), "slips": "; ".join(slips)}


def table2(found: Record, published: Record, _: Record) -> Fragments:
    pairs = {
        kind: [
            (name, row[kind]["insertion"], row[kind]["deletion"]) for name, row in published["table2"]["rows"].items()
        ]
        for kind in ("images", "volumes", "audio")
    }
    said = "; ".join(
        f"{kind} " + ", ".join(f"{name} {number(ins)} / {number(dele)}" for name, ins, dele in three)
        for kind, three in pairs.items()
    )
    text, moves, means = [], {}, {}
    apart: dict[int, list[str]] = {1: [], -1: []}
    for kind, network, cells in by_wavelet(found):
        rows = []
        for c in cells:
            row = [c["wavelet"], str(c["items"]), gaps(c)]
            for m in ("insertion", "deletion"):
                move = c[f"{m}, distance from haar"]["most"]
                row += [estimate(c[m]), over(c, f"{m}, less haar's"), small(move)]
                moves.setdefault((kind, m, c["wavelet"]), []).append(move)
                means.setdefault((kind, m, c["wavelet"]), []).append(number(c[f"{m}, less haar's"][0], "+"))
            rows.append([*row, small(c["sum, distance from haar"]["most"])])
        for m, (sign, several) in itertools.product(("insertion", "deletion"), apart.items()):
            if names := [c["wavelet"] for c in cells if decided(c, f"{m}, less haar's") == sign]:
                several.append(f"{kind}, {network}, {m}: {', '.join(names)}")
        head = [part for m in ("insertion", "deletion") for part in (TITLES[m], "less Haar's", "largest move")]
        text.append(table([f"{kind}: {network}", "n", "gap", *head, "largest move of Σγ"], rows))
    most = {f"most {kind} {m} {wavelet}": small(max(several)) for (kind, m, wavelet), several in moves.items()}
    most |= {f"mean {kind} {m} {wavelet}": " and ".join(several) for (kind, m, wavelet), several in means.items()}
    for kind in found["kinds"]:
        most[f"most {kind}"] = number(max(max(several) for (one, *_), several in moves.items() if one == kind))
    items = ", ".join(f"{n} × {kind}" for kind, n in found["items"].items())
    most |= {name: "; ".join(apart[k]) or "none" for k, name in ((1, "above"), (-1, "below"))}
    return {"published": said, "tables": "\n".join(text), "source": source(found, items), **most}


def by_wavelet(found: Record) -> list[tuple[str, str, list[Record]]]:
    """The kinds of signals, their networks, and the rows of their wavelets."""
    return [(kind, network, cells) for kind, own in found["kinds"].items() for network, cells in own.items()]


def table3(found: Record, published: Record, _: Record) -> Fragments:
    text, verdicts = [], ""
    for network, one in found["networks"].items():
        noise, ending = network.rpartition(", ")[2], "melspec" if "spectrogram" in network else "wavelet"
        paper = {
            name.removesuffix(f" ({ending})"): row[noise]
            for name, row in published["table3"]["rows"].items()
            if f"({ending})" in name or (ending == "melspec" and "WAM" not in name)
        }
        for domain in domains(one["cells"]):
            text.append(measured(f"{network}: {domain}", one["cells"], domain, (*AREAS, "ff", "fid_in"), paper))
        verdicts += verdict(network, one["cells"], domains(one["cells"])[-1], WAM)
    items = f"{found['clips']} clips of ESC-50's fold 4"
    return {"tables": "\n".join(text), "verdicts": verdicts, "source": source(found, items)}


def table4(found: Record, published: Record, _: Record) -> Fragments:
    paper, fifth = published["table4"]["rows"], published["table5"]["rows"]
    nets, whole = [name for name in found["networks"] if name != "all"], found["networks"]["all"]["cells"]
    methods = [c["order"] for c in whole if c["domain"] == "pixels" and "order" not in c["order"]]
    lines = [(name, name, "wavelets" if name.startswith("WAM") else "pixels") for name in methods]
    lines += [(f"{name} of {d}", name, d) for d in ("pixels", "wavelets") for name in ("energy order", "random order")]
    per = {
        (c["order"], c["domain"]): sum(
            cell(found["networks"][n]["cells"], c["order"], c["domain"]) is not None for n in nets
        )
        for c in whole
    }
    part = {key: f" ({n} of {len(nets)} networks)" for key, n in per.items() if n < len(nets)}
    text = []
    for measure in (*AREAS, "mu_fidelity"):
        rows = []
        for label, name, domain in lines:
            each = [cell(found["networks"][net]["cells"], name, domain) for net in nets]
            mean = cell(whole, name, domain)
            mine = paper.get(name, {}).get(measure, {}).get("mean")
            later = f"{number(fifth[name][measure])} (table 5)" if mine is None and name in fifth else number(mine)
            shown = [number(c[measure][0]) if c else "–" for c in each]
            middle = estimate(mean[measure]) + part.get((name, domain), "") if mean else "–"
            far = over(mean, MU_OVER_ENERGY) if mean and name != "energy order" and measure == "mu_fidelity" else ""
            items = str(mean["items"]) if mean else "–"
            rows.append([label, items, *shown, middle, *([far] if measure == "mu_fidelity" else []), later])
        head = ["n", *nets, "mean", *([MU_OVER_ENERGY] if measure == "mu_fidelity" else []), "paper's mean"]
        text.append(table([TITLES[measure], *head], rows))
    has_gaps = any("gap" in c for c in whole)
    facts = {c["order"]: [str(c["items"]), *([gaps(c)] if has_gaps else [])] for c in whole}
    same = []
    for difference, measure in STARTS.items():
        if measure not in whole[0]:
            continue
        rows = [
            [name, *facts[name]]
            + [
                entry
                for domain in ("pixels", "wavelets")
                if (c := cell(whole, name, domain))
                for entry in (
                    number(c[measure][0]) + part.get((name, domain), ""),
                    "" if name == "energy order" else over(c, difference),
                )
            ]
            for name in (*methods, "energy order", "random order")
        ]
        head = [TITLES[measure], "n", *(["gap"] if has_gaps else [])]
        same.append(table([*head, "on pixels", difference, "on wavelets", difference], rows))
    said = {}
    for domain in ("pixels", "wavelets"):
        here = {
            c["order"]: c["faithfulness"] for c in whole if c["domain"] == domain and (c["order"], domain) not in part
        }
        best = max(here, key=lambda name: here[name][0])
        said[f"best {domain}"] = f"{best} ({estimate(here[best])})"
        said |= {f"energy {domain}": estimate(here["energy order"]), f"WAM-IG {domain}": estimate(here["WAM-IG"])}
    gone = [
        f"{name} of {net}" + ("" if one["items"] == one["of"] else f" ({one['items']} of {one['of']} photos)")
        for net in nets
        for name, one in found["networks"][net]["left_out"].items()
    ]
    return {
        "tables": "\n".join(text),
        "same": "\n".join(same),
        "verdicts": "".join(verdict(net, found["networks"][net]["cells"], "wavelets", WAM) for net in nets),
        "left out": ", ".join(gone) or "none",
        "probabilities": ", ".join(f"{net} {estimate(found['networks'][net]['probability'])}" for net in nets),
        "networks": ", ".join(name for name in paper["WAM-IG"]["faithfulness"] if name != "mean"),
        "source": source(found, f"{found['photos']} photos of Caltech-101 and {len(nets)} networks"),
        "energy mu": number((cell(whole, "energy order", "wavelets") or {"mu_fidelity": [None]})["mu_fidelity"][0]),
        "chance": number((found["settings"]["subsets"] - 1) ** -0.5),
        **said,
    }


def table6(found: Record, published: Record, _: Record) -> Fragments:
    return volumes(found, {"residual": published["table6"]["rows"]}, f"{found['volumes']} volumes")


def table7(found: Record, published: Record, _: Record) -> Fragments:
    paper = {}
    for key in found["networks"]:
        kind, data = key.split(", ")
        rows = published["table7"]["rows"][DATA[data]]
        paper[key] = {name: row[ARCHITECTURES[kind]] for name, row in rows.items()}
    return volumes(found, paper, " and ".join(f"{n} volumes of {name}" for name, n in found["volumes"].items()))


def volumes(found: Record, paper: Record, items: str) -> Fragments:
    text, verdicts = [], ""
    for key, one in found["networks"].items():
        named = ", ".join(f"{count} as class {name}" for name, count in one["named"].items())
        filled = ", ".join(f"{name} {estimate(three)}" for name, three in one["filled"].items())
        text.append(
            f"**{key}**: named {named}; probability {estimate(one['probability'])}, of the same class where the\n"
            f"volume is *empty* {estimate(one['empty'])}. Part of the coefficients that are not zero: {filled}.\n"
        )
        text += [measured(domain, one["cells"], domain, AREAS, paper[key]) for domain in domains(one["cells"])]
        text += [by_class(one["classes"])] if "classes" in one else []
        verdicts += verdict(key, one["cells"], "wavelets", [f"{name} (J = 2)" for name in WAM])
    return {"tables": "\n".join(text), "verdicts": verdicts, "source": source(found, items)}


def by_class(classes: dict[str, list[Record]]) -> str:
    """Faithfulness of each order in wavelets from both starts, of the volumes of one named class at a time."""
    rows = [
        [
            order,
            *(
                entry
                for cells in classes.values()
                for c in cells
                if c["order"] == order
                for name, measure in STARTS.items()
                for entry in (estimate(c[measure]), "" if order == "energy order" else over(c, name))
            ),
        ]
        for order in dict.fromkeys(c["order"] for cells in classes.values() for c in cells)
    ]
    head = [
        entry
        for which, cells in classes.items()
        for name, measure in STARTS.items()
        for entry in (f"class {which} (n = {cells[0]['items']}): {TITLES[measure]}", name)
    ]
    return table(["wavelets, by class", *head], rows)


def nets3d(found: Record, *_: Record) -> Fragments:
    reached = [
        f"{name} AUC {number(row['AUC'])}, accuracy {number(row['accuracy'])} (majority {number(row['majority'])})"
        for name, row in found["networks"].items()
    ]
    return {"reached": "; ".join(reached)}


def randomization(found: Record, *_: Record) -> Fragments:
    text, which = [], ("network", "order")
    ends = {id(r): last(r, found.get("intervals") == KIND) for r in found["rows"]}
    for network, order in dict.fromkeys((r["network"], r["order"]) for r in found["rows"]):
        mine = [r for r in found["rows"] if (r["network"], r["order"]) == (network, order)]
        rows = [
            [r["explainer"], str(r["known"][-1]), gaps(r), *(number(m) for m in r["mean"]), estimate(ends[id(r)])]
            for r in mine
        ]
        text.append(table([f"{network}, {order}", "n", "gap", *mine[0]["layers"], "all, with interval"], rows))
    pairs = [
        (ig, sg)
        for ig in found["rows"]
        for sg in found["rows"]
        if (ig["explainer"], sg["explainer"]) == WAM and [ig[k] for k in which] == [sg[k] for k in which]
    ]
    apart = [_apart(*((ends[id(r)], r["known"][-1]) for r in pair)) for pair in pairs]
    p_values = holm([p_value([r[k][-1] for k in ("mean", "low", "high")], r["known"][-1]) for r in found["rows"]])
    left = [
        f"{r['explainer']} ({r['network']}, {r['order']})"
        for r, p in zip(found["rows"], p_values, strict=True)
        if p <= SIGNIFICANT and r["known"][-1] >= LEAST and r["mean"][-1] > 0
    ]
    keeps = f"in {apart.count(1)} of {len(pairs)} cascades, and less in {apart.count(-1)}"
    return {
        "tables": "\n".join(text),
        "source": source(found, f"{found['photos']} photos"),
        "keeps": keeps,
        "left": ", ".join(left) or "none",
    }


def last(row: Record, is_current: bool) -> list[float | None]:
    """The mean after the last reset, with its interval."""
    three = [row[k][-1] for k in ("mean", "low", "high")]
    return three if is_current else expanded(three, row["known"][-1])


def _apart(one: tuple[Sequence[float | None], int], other: tuple[Sequence[float | None], int]) -> int:
    """1 or -1 where one mean lies above or below another, with intervals that do not meet, of enough items; else 0."""
    ((_, low, high), items), ((_, least, most), others) = one, other
    if low is None or high is None or least is None or most is None or min(items, others) < LEAST:
        return 0
    return int(low > most) - int(high < least)


def compat(found: Record, *_: Record) -> Fragments:
    cells = found["cells"]
    names = list(dict.fromkeys(c["order"] for c in cells))
    rows, areas = [], []
    for title in domains(cells):
        mine = [c for c in cells if c["domain"] == title]
        rows.append([title, str(mine[0]["items"]), *(estimate(c["faithfulness"]) for c in mine)])
        areas.append([title, *(f"{number(c['insertion'][0])} / {number(c['deletion'][0])}" for c in mine)])
    text = [table(["faithfulness ↑", "n", *names], rows), table(["insertion ↑ / deletion ↓", *names], areas)]
    path = next(c for c in cells if c["order"] == "WAM-IG")
    items = f"{found['photos']} photos" + (f", WAM-IG's gap {gaps(path)}" if "gap" in path else "")
    return {"tables": "\n".join(text), "network": found["network"], "source": source(found, items)}


def cost(found: Record, *_: Record) -> Fragments:
    text = []
    for kind, one in found["kinds"].items():
        rows = [
            [
                name,
                str(row["passes"]),
                *(f"{s:.2f} s, {m:.0f} MB" for s, m in zip(row["seconds"], row["megabytes"], strict=True)),
                number(row["slope"]),
            ]
            for name, row in one["methods"].items()
        ]
        text.append(table([f"{kind}: {one['network']}", "passes", *map(str, one["sizes"]), "slope"], rows))
    return {"tables": "\n".join(text), "source": source(found, "one item at each size")}


def figure3(found: Record, *_: Record) -> Fragments:
    nets, crops = list(found["accuracy"]), found["crops"]
    right = [[net, str(crops), *(estimate(three) for three in found["accuracy"][net].values())] for net in nets]
    head = ["right", "n", *(name.replace("PGD 0", "clean") for name in found["accuracy"][nets[0]])]
    profiles, signs = [], {}
    several = {SHORT[method]: own for method, own in found["profiles"].items()} | {"": found["control"]}
    for method, told in several.items():
        for name, row in told.items():
            away = "mean level, less the first"
            first = name == next(iter(told))
            shares = [number(three[0]) for three in row["share"].values()]
            label = f"{method}, {name}" if method else name
            profiles.append(
                [label, str(crops), *shares, estimate(row["mean level"]), "" if first else over(row, away, crops)]
            )
            if not first:
                signs[method] = decided(row, away, crops)
    scales = found["scales"]
    each = [f"{gaps({'gap': gap})} ({net})" for net, gap in found.get("gap", {}).items()]
    missed = f", WAM-IG's gap {' and '.join(each)}" if each else ""
    verdict = [
        f"{word} with {', '.join(those)}"
        for word, sign in (("coarser", 1), ("finer", -1), ("not told apart", 0))
        if (those := [method for method, own in signs.items() if own == sign])
    ]
    return {
        "accuracy": table(head, right),
        "profiles": table(["share", "n", *scales, "mean level", "coarser by, levels"], profiles),
        "scales": ", ".join(f"{name} {text}" for name, text in scales.items()),
        "verdict": "; ".join(verdict),
        "source": source(found, f"{crops} crops, half of them with a panel{missed}"),
    }


MAKERS: dict[str, Callable[[Record, Record, Record], Fragments]] = {
    "table1": table1,
    "table2": table2,
    "table3": table3,
    "table4": table4,
    "table6": table6,
    "table7": table7,
    "nets3d": nets3d,
    "randomization": randomization,
    "compat": compat,
    "cost": cost,
    "figure3": figure3,
}


SETTLED = ("table1", "table2", "table3", "table4", "table6", "table7", "compat", "figure3")  # with tests or intervals


def comparisons(has: Record) -> tuple[int, int]:
    """How many paired differences the page has, and how many of them are of `LEAST` items or more."""
    items = [
        c["items"]
        for table in ("table3", "table4", "table6", "table7")
        for one in has.get(table, {}).get("networks", {}).values()
        for cells in (one["cells"], *one.get("classes", {}).values())
        for c in cells
        if c["order"] != "energy order"
        for name in DIFFERENCES
        if name in c
    ]
    wavelets = [c for *_, cells in by_wavelet(has["table2"]) for c in cells] if "table2" in has else []
    items += [c["items"] for c in wavelets if c["wavelet"] != "haar" for _ in ("insertion", "deletion")]
    return len(items), sum(n >= LEAST for n in items)


def compared(count: int, enough: int) -> str:
    part = f"All {count} comparisons" if enough == count else f"{enough} of {count} comparisons"
    return f"{part} with the energy order or with Haar are of so many."


def agreement() -> Fragments:
    """How far each measure agrees with planted truth, on the tasks for choosing and for judging."""
    results = json.loads(AGREEMENT.read_text(encoding="utf-8"))["results"]
    return {
        f"agreement.{name}": " and ".join(
            f"{a:.2f} [{b:.2f}, {c:.2f}]".replace("-", "−")
            for a, b, c in (results[purpose][name]["agreement"] for purpose in ("choosing", "judging"))
        )
        for name in results["choosing"]
        if name != "networks" and "agreement" in results["choosing"][name] and name in results["judging"]
    }


def page(folder: Path) -> str:
    """The whole page, from the records of a folder."""
    published = json.loads((HERE / "published.json").read_text(encoding="utf-8"))
    has = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    has |= {name: settled(has[name]) for name in SETTLED if name in has}
    fragments = {
        f"{name}.{part}": text.rstrip("\n")
        for name, make in MAKERS.items()
        if name in has
        for part, text in make(has[name], published, has).items()
    }
    fragments |= {"least": str(LEAST), "margin": f"±{MARGIN}"} | agreement()
    fragments["comparisons"] = compared(*comparisons(has))
    sections = re.split(r"(?m)^(?=## )", (HERE / "page.md").read_text(encoding="utf-8"))
    return "\n\n".join(_section(text, has, fragments) for text in sections) + "\n"


def _section(text: str, has: Record, fragments: Fragments) -> str:
    needs = re.search(r"<!-- needs (\w+) -->\n", text)
    if needs and needs[1] not in has:
        return f"{text[: needs.start()].strip()}\n\nNot on record yet: `python benchmarks/paper/{needs[1]}.py`."
    text = text.replace(needs[0], "") if needs else text
    return re.sub(r"\{\{(.+?)\}\}", lambda m: fragments.get(m[1], "not on record"), text).strip()


def main(argv: list[str] | None = None) -> None:
    known = parser(__doc__)
    known.add_argument("--out", type=Path, default=PAGE)
    known.add_argument("--results", type=Path, default=RESULTS)
    given = known.parse_args(argv)
    given.out.write_text(page(given.results), encoding="utf-8")


if __name__ == "__main__":
    main()
