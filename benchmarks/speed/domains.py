"""Every domain but the DWT (transforms.py has it) against the library that computes the same, or the nearest to it.

    python benchmarks/speed/domains.py [--rounds 7] [--domain STFT Packets …]

Analysis and synthesis, as a ratio theirs ÷ ours of the least processor times of one thread, which what else the machine
does adds little to; candidates take turns. What they compute differs in this:

- torch.stft leaves its frequencies strided in memory and its ends uncovered; "contiguous" has each frequency in one
  piece, as bands have to be.
- torch.fft and scipy.fft give the plain spectrum: ours is that, with weights and sorted by octaves, so it cannot be
  faster than the torch.fft that it calls.
- scipy.fft.dctn is compiled for cosines; torch has no cosine transform, and ours is a real Fourier transform between
  two sorts.
- librosa and nnAudio are constant-Q without an exact inverse and with fewer numbers; both sides have 84 filters.
- pytorch_wavelets' dual tree has two axes and computes the same numbers; it needs setuptools below 81.
- alpha_transform's shearlets (PyPI, with pyfftw, numexpr and tqdm, in no extra of ours) are as tight a frame of other
  windows: 27 full pictures for three scales, one picture at a time; both sides take float64.
- pywt.swtn, ptwt's packets and pygsp's Meyer filters compute the same coefficients, or the same number of them; against
  pygsp both sides take float64.

TreeHaar stands against DWT("haar") of as many samples in a row, with the time that building its tree takes, and
scipy's cKDTree beside it.
"""

from __future__ import annotations

import importlib.util
import json
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import ptwt
import pywt
import scipy.fft
import scipy.spatial
import torch
from record import geometric_mean, least, parser, ratio, replace, turns
from torch import Tensor

import wavelens as wl

Tasks = dict[str, Callable[[], Any]]  # analysis and synthesis
SOUND, RATE = (4, 1, 110250), 22050
PHOTOS, VOLUMES = (16, 3, 224, 224), (4, 1, 64, 64, 64)
POINTS = (10**4, 10**5, 10**6)
Row = dict[str, Any]


def ours(domain: wl.Domain, x: Tensor) -> Tasks:
    bound = domain.bind(x)
    c = bound.analysis(x)
    return {"analysis": lambda: bound.analysis(x), "synthesis": lambda: bound.synthesis(c)}


def stft(domain: wl.STFT, x: Tensor) -> dict[str, Tasks]:
    window, n = torch.hann_window(domain.length), x.shape[-1]

    def analysis() -> Tensor:
        return torch.stft(x[:, 0], domain.length, domain.step, window=window, return_complex=True)

    def synthesis(z: Tensor) -> Tensor:
        return torch.istft(z, domain.length, domain.step, window=window, length=n)

    strided = analysis()
    whole = strided.contiguous()
    return {
        "torch.stft": {"analysis": analysis, "synthesis": lambda: synthesis(strided)},
        "torch.stft, contiguous": {
            "analysis": lambda: analysis().contiguous(),
            "synthesis": lambda: synthesis(whole),
        },
    }


def spectra(domain: wl.Fourier, x: Tensor) -> dict[str, Tasks]:
    axes, shape = tuple(range(2, x.ndim)), x.shape[2:]
    samples, z = x.numpy(), torch.fft.rfftn(x, dim=axes, norm="ortho")
    return {
        "torch.fft": {
            "analysis": lambda: torch.fft.rfftn(x, dim=axes, norm="ortho"),
            "synthesis": lambda: torch.fft.irfftn(z, s=shape, dim=axes, norm="ortho"),
        },
        "scipy.fft": {
            "analysis": lambda: scipy.fft.rfftn(samples, axes=axes, norm="ortho"),
            "synthesis": lambda: scipy.fft.irfftn(z.numpy(), s=shape, axes=axes, norm="ortho"),
        },
    }


def cosines(domain: wl.Cosine, x: Tensor) -> dict[str, Tasks]:
    axes, samples = tuple(range(2, x.ndim)), x.numpy()
    z = scipy.fft.dctn(samples, axes=axes, norm="ortho")
    return {
        "scipy.fft.dctn": {
            "analysis": lambda: scipy.fft.dctn(samples, axes=axes, norm="ortho"),
            "synthesis": lambda: scipy.fft.idctn(z, axes=axes, norm="ortho"),
        }
    }


def packets(domain: wl.Packets, x: Tensor) -> dict[str, Tasks]:
    forms: dict[str, Tasks] = {}
    for name, separable in (("ptwt", False), ("ptwt, separable", True))[: 1 if x.ndim == 3 else 2]:

        def tree(separable: bool = separable) -> Any:
            settings = {"mode": domain.mode, "maxlevel": domain.levels}
            if x.ndim == 3:
                made = ptwt.WaveletPacket(x[:, 0], domain.wavelet, **settings)
                nodes = made.get_level(domain.levels)
            else:
                made = ptwt.WaveletPacket2D(x, domain.wavelet, separable=separable, **settings)
                nodes = ["".join(node) for node in made.get_natural_order(domain.levels)]
            for node in nodes:
                made[node]  # computed where it is first read
            return made

        whole = tree()
        forms[name] = {"analysis": tree, "synthesis": lambda whole=whole: whole.reconstruct()}
    return forms


def undecimated(domain: wl.Stationary, x: Tensor) -> dict[str, Tasks]:
    axes, samples = tuple(range(2, x.ndim)), x.numpy()
    z = pywt.swtn(samples, domain.wavelet, domain.levels, axes=axes, norm=True)
    forms: dict[str, Tasks] = {
        "pywt.swtn": {
            "analysis": lambda: pywt.swtn(samples, domain.wavelet, domain.levels, axes=axes, norm=True),
            "synthesis": lambda: pywt.iswtn(z, domain.wavelet, axes=axes, norm=True),
        }
    }
    if x.ndim == 3:
        own = ptwt.swt(x[:, 0], domain.wavelet, domain.levels)
        forms["ptwt.swt"] = {
            "analysis": lambda: ptwt.swt(x[:, 0], domain.wavelet, domain.levels),
            "synthesis": lambda: ptwt.iswt(own, domain.wavelet),
        }
    return forms


def dual_tree(domain: wl.DualTree, x: Tensor) -> dict[str, Tasks]:
    if not importlib.util.find_spec("pytorch_wavelets"):
        print("pytorch_wavelets is not installed: pip install pytorch_wavelets==1.3.0 'setuptools<81'", flush=True)
        return {}
    from pytorch_wavelets import DTCWTForward, DTCWTInverse

    filters = {"biort": domain.biort, "qshift": domain.qshift}
    analysis, synthesis = DTCWTForward(J=domain.levels, **filters), DTCWTInverse(**filters)
    z = analysis(x)
    return {"pytorch_wavelets": {"analysis": lambda: analysis(x), "synthesis": lambda: synthesis(z)}}


def shearlets(domain: wl.Shearlets, x: Tensor) -> dict[str, Tasks]:
    if not importlib.util.find_spec("alpha_transform"):
        print("alpha_transform is not installed: pip install alpha-transform pyfftw numexpr tqdm", flush=True)
        return {}
    from alpha_transform import AlphaShearletTransform

    *_, height, width = x.shape
    options = {"real": True, "parseval": True, "verbose": False}
    bank = AlphaShearletTransform(width, height, [0.5] * domain.levels, **options)
    pictures = list(x.flatten(0, 1).numpy())
    z = [bank.transform(one, do_norm=False) for one in pictures]
    return {
        "alpha_transform": {
            "analysis": lambda: [bank.transform(one, do_norm=False) for one in pictures],
            "synthesis": lambda: [bank.adjoint_transform(one, do_norm=False) for one in z],
        }
    }


def constant_q(domain: wl.ConstantQ, x: Tensor) -> dict[str, Tasks]:
    forms: dict[str, Tasks] = {}
    filters = domain.per_octave * (domain.octaves or 0)
    if importlib.util.find_spec("librosa"):
        import librosa

        settings = {"sr": RATE, "bins_per_octave": domain.per_octave}
        samples = x[:, 0].numpy()
        z = librosa.cqt(samples, n_bins=filters, **settings)
        forms["librosa"] = {
            "analysis": lambda: librosa.cqt(samples, n_bins=filters, **settings),
            "synthesis": lambda: librosa.icqt(z, **settings),
        }
    if importlib.util.find_spec("nnAudio"):
        from nnAudio.features import CQT1992v2

        net = CQT1992v2(RATE, n_bins=filters, bins_per_octave=domain.per_octave, output_format="Complex", verbose=False)
        forms["nnAudio"] = {"analysis": lambda: net(x[:, 0])}
    return forms


def graphs(domain: wl.GraphWavelets, x: Tensor) -> dict[str, Tasks]:
    import pygsp
    import scipy.sparse

    from wavelens.domains.graph import nearest

    n = x.shape[-1]
    near = nearest(x.movedim(1, 2), domain.neighbours)[0].flatten().numpy()
    own = np.repeat(np.arange(n), domain.neighbours)
    half = scipy.sparse.coo_matrix((np.full(len(near), 0.5), (own, near)), shape=(n, n))
    graph = pygsp.graphs.Graph((half + half.T).tocsr(), lap_type="normalized")
    if domain.order is None:
        graph.compute_fourier_basis()
    graph._lmax = 2.0
    bank = pygsp.filters.Meyer(graph, Nf=domain.levels + 1)
    how = {"method": "exact"} if domain.order is None else {"method": "chebyshev", "order": domain.order}
    samples = x[0].T.numpy()
    z = bank.filter(samples, **how)
    return {
        "pygsp": {"analysis": lambda: bank.filter(samples, **how), "synthesis": lambda: bank.filter(z, **how)},
    }


CASES: list[tuple[wl.Domain, tuple[int, ...], Callable[..., dict[str, Tasks]]]] = [
    (wl.STFT("hann", 2048, 512), SOUND, stft),
    (wl.STFT("hann", 512, 128), SOUND, stft),
    (wl.ConstantQ(12, octaves=7), SOUND, constant_q),
    (wl.Packets("haar", levels=5, mode="reflect"), SOUND, packets),
    (wl.Packets("db4", levels=5, mode="reflect"), SOUND, packets),
    (wl.Packets("haar", levels=3, mode="reflect"), (4, *PHOTOS[1:]), packets),
    (wl.Packets("db4", levels=3, mode="reflect"), (4, *PHOTOS[1:]), packets),
    (wl.Stationary("haar", levels=5), (4, 1, 2**17), undecimated),
    (wl.Stationary("db4", levels=5), (4, 1, 2**17), undecimated),
    (wl.Stationary("haar", levels=3), (4, *PHOTOS[1:]), undecimated),
    (wl.Stationary("db4", levels=3), (4, *PHOTOS[1:]), undecimated),
    (wl.DualTree(levels=3), (4, *PHOTOS[1:]), dual_tree),
    (wl.DualTree(levels=5), (4, *PHOTOS[1:]), dual_tree),
    (wl.Shearlets(levels=3), (4, *PHOTOS[1:]), shearlets),
    *((wl.Fourier(), shape, spectra) for shape in (SOUND, PHOTOS, VOLUMES)),
    *((wl.Cosine(), shape, cosines) for shape in (SOUND, PHOTOS, VOLUMES)),
    (wl.GraphWavelets(levels=4), (1, 3, 1000), graphs),
    (wl.GraphWavelets(levels=4, order=60), (1, 3, 10000), graphs),
]
NAMES = [*dict.fromkeys(type(domain).__name__ for domain, *_ in CASES), "TreeHaar"]


def rows(name: str, rounds: int) -> Iterator[Row]:
    """One row for each library and task of a domain's cases."""
    for domain, shape, theirs in CASES:
        if type(domain).__name__ == name:
            torch.manual_seed(0)
            x = torch.rand(shape, dtype=torch.float64 if theirs in (graphs, shearlets) else torch.float32)
            yield from compared(domain, x, theirs(domain, x), rounds)


def compared(domain: wl.Domain, x: Tensor, forms: dict[str, Tasks], rounds: int) -> Iterator[Row]:
    """One row for each task of each of `forms`, with how many times as long as ours it takes."""
    runs = {
        (task, name): run for name, tasks in {"ours": ours(domain, x), **forms}.items() for task, run in tasks.items()
    }
    for run in runs.values():
        run()
    seconds = turns(runs, "cpu", rounds, time.process_time)
    ms = least(seconds, 1e-3, 3)
    for task, name in runs:
        if name != "ours":
            yield {
                "name": type(domain).__name__,
                "domain": repr(domain),
                "signal": " × ".join(map(str, x.shape)),
                "task": task,
                "against": name,
                "theirs ÷ ours": round(ratio(seconds, (task, name), (task, "ours")), 2),
                "milliseconds": {"ours": ms[task, "ours"], "theirs": ms[task, name]},
            }


def trees(rounds: int) -> Iterator[Row]:
    for n in POINTS:
        torch.manual_seed(0)
        points, x, tree = torch.rand(1, 3, n), torch.randn(1, 1, n), wl.TreeHaar()
        built, bound = once(lambda tree=tree, points=points: tree.bind(points))
        known, _ = once(lambda points=points: scipy.spatial.cKDTree(points[0].T.numpy()))
        forms = {"DWT('haar') in a row": ours(wl.DWT("haar"), x)}
        for row in compared(bound, x, forms, rounds):
            yield {**row, "name": "TreeHaar", "tree, s": round(built, 3), "scipy's cKDTree, s": round(known, 3)}


def once(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    made = run()
    return time.process_time() - start, made


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--rounds", type=int, default=7)
    known.add_argument("--domain", choices=NAMES, nargs="*", default=NAMES)
    options = known.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name in options.domain:
        measured = []
        for row in trees(options.rounds) if name == "TreeHaar" else rows(name, options.rounds):
            measured.append(row)
            print(json.dumps(row, ensure_ascii=False), flush=True)
        if not measured:
            continue
        print(f"{name}: geometric mean {geometric_mean([row['theirs ÷ ours'] for row in measured]):.2f}", flush=True)
        record = "trees" if name == "TreeHaar" else "domains"
        replace(record, "cpu", measured, ("name",), rounds=options.rounds)


if __name__ == "__main__":
    main()
