"""What a user may choose, and what is asked of the engine then: only what is listed here, within the limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pywt
import torch

from wavelens.app.limits import Limits
from wavelens.core import Domain
from wavelens.domains import (
    DWT,
    STFT,
    ConstantQ,
    Cosine,
    DualTree,
    Fourier,
    GraphWavelets,
    Identity,
    Packets,
    Shearlets,
    Stationary,
    TreeHaar,
)
from wavelens.explaining import Kind, Question, Request
from wavelens.explaining.prompting import asking
from wavelens.explaining.question import place_in_answer
from wavelens.methods import RISE, HierarchicalShapley, InputTimesGradient, IntegratedGradients, Saliency, SmoothGrad
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel, PromptHead
from wavelens.models.black_box import black_box
from wavelens.models.loaded import PROMPT_MARK
from wavelens.targets.values import NEXT

NO_WAVELET = "none: pixels, samples, voxels or points"
# The filters of dmey do not reconstruct.
WAVELETS: tuple[str, ...] = tuple(name for name in pywt.wavelist(kind="discrete") if name != "dmey")
MAX_LEVELS = 12
MAX_CHARACTERS = 1000  # of a prompt
USUAL_LEVELS = 4
FURTHER_DOMAINS: dict[str, Callable[[int | None], Domain]] = {  # of so many levels, or as many as are usual
    "dual tree: octaves by direction": lambda levels: DualTree(levels or USUAL_LEVELS),
    "shearlets: pictures by finer directions": lambda levels: Shearlets(levels or USUAL_LEVELS),
    "stationary haar: octaves without a grid": lambda levels: Stationary("haar", levels or USUAL_LEVELS),
    "packets db4: bands of one width": lambda levels: Packets("db4", levels or USUAL_LEVELS),
    "constant-Q: thirds of an octave, over time": lambda levels: ConstantQ(3, levels),
    "constant-Q: semitones, over time": lambda levels: ConstantQ(12),
    "STFT: frequencies over time": lambda levels: STFT("hann", 512),
    "Fourier: frequencies without places": Fourier,
    "cosine: frequencies without places": Cosine,
}
CLOUD_DOMAINS: dict[str, Callable[[int | None], Domain]] = {  # offered where a model takes clouds
    "tree of each cloud's points": lambda levels: TreeHaar(),
    "graph wavelets on each cloud's points": lambda levels: GraphWavelets(levels or USUAL_LEVELS),
}
MIN_GRADIENTS = 10  # gradients of a method that takes several
METHODS: dict[str, Callable[[int, float], Method]] = {  # of at most so many gradients, with noise of so much
    "integrated gradients": lambda most, sigma: IntegratedGradients(tolerance=0.02, max_steps=most),
    "SmoothGrad": lambda most, sigma: SmoothGrad(samples=most, sigma=sigma),
    "saliency": lambda most, sigma: Saliency(),
    "input × gradient": lambda most, sigma: InputTimesGradient(),
}
METHODS_OF_VALUES: dict[str, Callable[[int, float], Method]] = {  # of models without gradients, and as far as these go
    "Shapley values": lambda most, sigma: HierarchicalShapley(max_groups=most),
    "RISE": lambda most, sigma: RISE(samples=20 * most),
}


@dataclass(frozen=True)
class Wish:
    """How a user wants an input explained; None means the top class, and the depth that suits the kind of signal.

    `wavelet` is one of PyWavelets' names, `NO_WAVELET`, or a name of `FURTHER_DOMAINS` or `CLOUD_DOMAINS`. A `prompt`
    is explained in place of a class.

    `against` is the class that the target is set against, an index or "next" for the runner-up, and `against_prompt` a
    prompt in its place; nothing is, where both are empty.
    """

    target: int | str | None = None
    wavelet: str = "haar"
    levels: int | None = None
    method: str = "integrated gradients"
    gradients: int = 50
    prompt: str = ""
    against: int | str | None = None
    against_prompt: str = ""


def usual_name(domain: Domain) -> str:
    """What the default domain of a kind is called among the choices."""
    if wavelet := next((name for name in WAVELETS if domain.with_wavelet(name) == domain), None):
        return wavelet
    made = {name: make(None) for name, make in (FURTHER_DOMAINS | CLOUD_DOMAINS).items()}
    return next((name for name, one in made.items() if one == domain), NO_WAVELET)


def methods_of(loaded: LoadedModel) -> dict[str, Callable[[int, float], Method]]:
    """The methods that are offered for a model, the default first."""
    return METHODS if black_box(loaded.module) is None else METHODS_OF_VALUES


def shown_name(model: str) -> str:
    """A model's name as users see it: for a file or folder on the server, its last part."""
    path, colons, output = model.partition("::")
    if colons and Path(path).exists():
        return f"{Path(path).name}{colons}{output}"
    prefix, colon, rest = model.rpartition(":")
    return f"{prefix}{colon}{Path(rest).name}" if Path(rest).exists() else model


def shown(loaded: LoadedModel) -> LoadedModel:
    """A model for users, to whom the server's folders have no names."""
    weights, names = loaded.options.weights, loaded.options.class_names
    options = replace(
        loaded.options,
        weights=None if weights is None else Path(weights).name,
        class_names=Path(names).name if isinstance(names, str) else names,
    )
    return replace(loaded, name=shown_name(loaded.name), options=options)


def request_of(wish: Wish, loaded: LoadedModel, kind: Kind, limits: Limits, device: torch.device) -> Request:
    """What the wish means for a model; `ValueError` for one that is not offered."""
    loaded, target, against = _asked(wish, loaded)
    for index in (target, against):
        if loaded.answer is None and index not in (None, NEXT) and not _within(index, 0, len(loaded.labels) - 1):
            last = len(loaded.labels) - 1
            raise ValueError(f"a class of {loaded.name} must be an index from 0 to {last}; got {index!r}.")
    if wish.method not in (methods := methods_of(loaded)):
        raise ValueError(f"the methods are {', '.join(methods)}; got {wish.method!r}.")
    if not _within(wish.gradients, MIN_GRADIENTS, limits.gradients):
        raise ValueError(
            f"a method takes {MIN_GRADIENTS} to {limits.gradients} gradients here; got {wish.gradients!r}."
        )
    method = methods[wish.method](wish.gradients, kind.sigma)
    domain = _domain(wish, kind, loaded.preprocess.shape[1:])
    question = _question(target, against, loaded)
    return Request(loaded, kind, question, (domain,), method, None, 5, device, chosen=wish.levels is not None)


def _question(target: object, against: object, loaded: LoadedModel) -> Question:
    """A class, or an object or a region by its text; no text names a function here."""
    if loaded.answer is None:
        if target is not None and target == against:
            raise ValueError(f"a class must be set against another one; got {loaded.labels[int(str(target))]} twice.")
        other = against if isinstance(against, int | str) else None
        return Question(target if isinstance(target, int) else None, other)
    if against is not None:
        raise ValueError(f"a class is set against a class; {loaded.name} gives objects or regions. Leave it out.")
    if not (target is None or isinstance(target, str)):
        raise ValueError(f"an object or a region must be named by a text such as car#2; got {target!r}.")
    return Question(place=place_in_answer(target, loaded))


def takes_prompts(loaded: LoadedModel) -> bool:
    """Whether any text may be explained."""
    return isinstance(loaded.module, PromptHead)


def _asked(wish: Wish, loaded: LoadedModel) -> tuple[LoadedModel, object, object]:
    """The model asked for the prompts, the target and the class against it; a prompt stands before a chosen class."""
    prompts = [str(text or "").strip() for text in (wish.prompt, wish.against_prompt)]
    for prompt in prompts:
        if len(prompt) > MAX_CHARACTERS:
            raise ValueError(f"a prompt must have up to {MAX_CHARACTERS} characters here; got {len(prompt)}.")
    if any(prompts):
        loaded = asking(loaded, *(f"{PROMPT_MARK}{prompt}" for prompt in prompts if prompt))
    chosen = wish.target, None if wish.against == "" else wish.against
    target, against = (loaded.labels.index(p) if p else one for p, one in zip(prompts, chosen, strict=True))
    return loaded, target, against


def _within(value: object, low: int, high: int) -> bool:
    """Whether it is a whole number of that range; a page may send anything."""
    return type(value) is int and low <= value <= high


def default_levels(wavelet: str, kind: Kind, axes: tuple[int, ...]) -> int | None:
    """How deep a choice of `wavelet` goes by itself; None where that differs by axis, or the choice does not fit."""
    try:
        levels = getattr(_domain(Wish(wavelet=wavelet), kind, axes), "levels", None)
    except ValueError:
        return None
    return levels if isinstance(levels, int) else None


def _domain(wish: Wish, kind: Kind, axes: tuple[int, ...]) -> Domain:
    """Axes that are too short for the levels go as deep as they can."""
    if wish.wavelet == NO_WAVELET:
        return Identity()
    if wish.levels is not None and not _within(wish.levels, 1, MAX_LEVELS):
        raise ValueError(f"levels must be 1 to {MAX_LEVELS}; got {wish.levels!r}.")
    if make := (FURTHER_DOMAINS | CLOUD_DOMAINS).get(wish.wavelet):
        deepest = int(math.log2(min(axes)))
        domain = make(None if wish.levels is None else min(wish.levels, deepest))
        domain.layout(axes)  # says what does not fit
        return domain
    if wish.wavelet not in WAVELETS:
        raise ValueError(f"a wavelet must be one of PyWavelets' discrete ones, but dmey; got {wish.wavelet!r}.")
    usual = kind.domain(axes)
    if usual.differs_by_item:
        raise ValueError(
            f"wavelets are of samples in a row; {kind.several} have none. Choose {usual_name(usual)!r}, or another "
            "domain."
        )
    domain = usual.with_wavelet(wish.wavelet) or DWT(wish.wavelet)
    if wish.levels is None:
        return domain
    return domain.with_levels(tuple(min(wish.levels, int(math.log2(n))) for n in axes))
