"""Published filters of the dual-tree complex wavelet transform by the names of the field, and their axis operators.

The values are those that N. Kingsbury published with his transform and that PyPI's `dtcwt` uses. Level 1 has symmetric
biorthogonal pairs: Antonini et al. (1992), Le Gall and Tabatabai (1988), and Kingsbury's near-symmetric pairs (2001).
Further levels have quarter-shift orthonormal filters (Kingsbury, 2003).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from wavelens.domains.filterbank import Axis, Matrix, operator

LOW_AND_HIGH = {  # each from its centre to its end: the filters are symmetric and have odd lengths
    "antonini": (
        [0.6029490182363593, 0.2668641184428729, -0.07822326652899052, -0.01686411844287467, 0.026748757410810106],
        [0.5575435262285023, -0.295635881557128, -0.02877176311424934, 0.04563588155712514],
    ),
    "legall": ([0.75, 0.25, -0.125], [0.5, -0.25]),
    "near_sym_a": ([0.6, 0.25, -0.05], [17 / 28, -73 / 280, -3 / 56, 3 / 280]),
    "near_sym_b": (
        [0.55546875, 0.296875, -0.0482421875, -0.046875, 0.022265625, 0.0, -0.0017578125],
        [
            0.5594308035714286,
            -0.29975760323660716,
            -0.05168805803571428,
            0.05564313616071428,
            0.023856026785714284,
            -0.007156808035714285,
            -0.0018833705357142855,
            0.0013419015066964285,
            0.0,
            -7.062639508928571e-05,
        ],
    ),
}

LOW = {  # of the one tree; the other's are reversed, and high-pass filters are those of a quadrature mirror
    "qshift_06": [
        0.03516383657149474,
        0.0,
        -0.08832942445107285,
        0.23389032060723564,
        0.7602723690661257,
        0.5875182977235605,
        0.0,
        -0.11430183714424873,
        0.0,
        0.0,
    ],
    "qshift_a": [
        0.051130405283831656,
        -0.013975370246888838,
        -0.10983605166597087,
        0.26383956105893763,
        0.7666284677930372,
        0.5636557101270515,
        0.0008736226952170968,
        -0.1002312195074762,
        -0.0016896812725281543,
        -0.006181881892116438,
    ],
    "qshift_b": [
        0.003253142763653182,
        -0.00388321199915849,
        0.03466034684485349,
        -0.03887280126882779,
        -0.11720388769911527,
        0.27529538466888204,
        0.7561456438925225,
        0.5688104207121227,
        0.011866092033797,
        -0.1067118046866654,
        0.023825384794920298,
        0.01702522388155399,
        -0.005439475937274115,
        -0.004556895628475491,
    ],
    "qshift_c": [
        -0.0047616119384559135,
        -0.00044602278926228516,
        -7.144197327965012e-05,
        0.034914612306842195,
        -0.03727389579989796,
        -0.11591145742744076,
        0.2763686431330317,
        0.7563937651990367,
        0.567134484100133,
        0.01463740596447335,
        -0.11255888425752203,
        0.02228926326692271,
        0.018498682724156248,
        -0.0072026778782583465,
        -0.0002276522058977718,
        0.002430349945148675,
    ],
    "qshift_d": [
        -0.002284127440270531,
        0.0012098941630734423,
        -0.011834794515430786,
        0.0012834569993443994,
        0.044365221606616996,
        -0.05327610880304726,
        -0.1133058863621428,
        0.2809028632221865,
        0.7528160380878561,
        0.5658080673964587,
        0.024550152433666563,
        -0.12018854471079482,
        0.018156493945546453,
        0.03152637712208465,
        -0.006628794612430063,
        -0.0025761743066007948,
        0.0012775586538069982,
        0.002411869456666278,
    ],
}


@lru_cache(maxsize=256)
def level_axis(filters: str, n: int, side: str, device: str, scale: float) -> Axis:
    """One axis of a level, the first or another by the name of its filters, with all taps times `scale`.

    A length that does not fit is extended as `_extend` does.
    """
    first = filters in LOW_AND_HIGH
    taps, left = _first_level(filters, side) if first else _further_levels(filters)
    multiple, before = (2, 0) if first else (4, n % 4 // 2)
    fitting = -(-n // multiple) * multiple

    def extend(length: int, t: int) -> Matrix:
        return _extend(length, t + before, before, fitting - n, side)

    m = fitting if first else fitting // 2
    return operator(scale * taps, 1 if first else 4, n, m, left + before, extend, device, period=1)


def _extend(n: int, t: int, before: int, gap: int, side: str) -> Matrix:
    """The weights of `n` samples at place `t` of the mirrored extended signal.

    It has `gap` samples more, of which some stand `before`: the nearest ones again, or zeros for the reconstruction.
    """
    turns, place = divmod(t, n + gap)
    place = (place if turns % 2 == 0 else n + gap - 1 - place) - before
    row = np.zeros(n)
    if 0 <= place < n or side == "dec":
        row[min(max(place, 0), n - 1)] = 1
    return row


def _first_level(name: str, side: str) -> tuple[Matrix, int]:
    """Taps `(2, 1, width)` of level 1 and the place of their centre: every sample gets a low and a high coefficient.

    The reconstruction's low-pass is the high-pass of the analysis with every other sign turned, and the other way round
    (Daubechies, 1992).
    """
    low, high = (_symmetric(half) for half in LOW_AND_HIGH[name])
    if side == "rec":
        low, high = -_alternating(high), _alternating(low)
    width = max(len(low), len(high))
    return np.stack([np.pad(taps, (width - len(taps)) // 2) for taps in (low, high)])[:, None], width // 2


def _further_levels(name: str) -> tuple[Matrix, int]:
    """Taps `(2, 2, 2 m)` of the levels after the first, and how far they begin before the first of their four samples.

    Four samples, of the trees b, a, b, a, give a low and a high coefficient of each tree. Together they are an
    orthonormal matrix, the ends included, since the reflection of a tree at an end is the other tree.
    """
    low = np.array(LOW[name])
    high = _alternating(low[::-1])
    taps = np.zeros((2, 2, 2 * len(low)))
    taps[0, 0, -2::-2], taps[0, 1, ::-2] = low[::-1], low
    taps[1, 0, ::-2], taps[1, 1, -2::-2] = high, high[::-1]
    return taps, len(low) - 2


def _symmetric(half: list[float]) -> Matrix:
    return np.array([*half[:0:-1], *half])


def _alternating(taps: Matrix) -> Matrix:
    return taps * (-1.0) ** np.arange(len(taps))
