"""Write what PyPI's `dtcwt` makes of small signals to `dualtree.npz`, for tests that need no `dtcwt`.

    pip install 'numpy<2' dtcwt==0.14.0 && python tests/oracles/dualtree.py

Signals of odd lengths get their last sample again before, which `dtcwt` does by itself in two axes and refuses in
others. `band` files have the inverse of one band of details alone, at its full size.
"""

from pathlib import Path

import dtcwt
import numpy as np

TRANSFORMS = {1: dtcwt.Transform1d, 2: dtcwt.Transform2d, 3: dtcwt.Transform3d}
CASES = [  # shape, levels, filters of level 1 and of the others
    *(
        (shape, 3, *filters)
        for shape in ((64,), (37,), (16, 24), (13, 18))
        for filters in (
            ("near_sym_a", "qshift_a"),
            ("near_sym_b", "qshift_b"),
            ("antonini", "qshift_c"),
            ("legall", "qshift_d"),
            ("near_sym_b", "qshift_06"),
        )
    ),
    ((8, 4, 12), 2, "near_sym_a", "qshift_a"),
    ((5, 6, 7), 2, "near_sym_b", "qshift_b"),
]


def signal(shape: tuple[int, ...]) -> np.ndarray:
    """Numbers without any symmetry that every machine makes alike."""
    count = np.arange(np.prod(shape), dtype=np.float64)
    return np.sin(count**2 % 101 + count % 7).reshape(shape)


if __name__ == "__main__":
    arrays = {}
    for shape, levels, biort, qshift in CASES:
        name = f"{'x'.join(map(str, shape))} {levels} {biort} {qshift}"
        even = np.pad(signal(shape), [(0, n % 2) for n in shape], mode="edge")
        transform = TRANSFORMS[len(shape)](biort, qshift)
        pyramid = transform.forward(even.copy(), nlevels=levels)
        arrays[f"{name} low"] = pyramid.lowpass
        for level, details in enumerate(pyramid.highpasses, 1):
            arrays[f"{name} {level}"] = details
        only = [np.zeros_like(details) for details in pyramid.highpasses]
        only[-1][..., -1] = pyramid.highpasses[-1][..., -1]
        arrays[f"{name} band"] = transform.inverse(dtcwt.Pyramid(np.zeros_like(pyramid.lowpass), tuple(only)))
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **arrays)
