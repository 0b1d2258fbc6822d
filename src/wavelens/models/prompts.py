"""A pair as a classifier: texts are its classes, and a signal's logits their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from wavelens.models.labels import read_class_names
from wavelens.models.loaded import LoadedModel, Parts
from wavelens.models.named_functions import imported, is_function
from wavelens.models.options import Options
from wavelens.models.pairs import Pair
from wavelens.models.sources.hf_pairs import pair_from_transformers
from wavelens.models.sources.open_clip import pair_from_open_clip
from wavelens.models.trust import importable_working_folder

LOADERS: dict[str, Callable[[str, str | None, bool], Pair]] = {  # of a name, weights, and trust
    "hf": pair_from_transformers,
    "open_clip": pair_from_open_clip,
}
PAIR_FORMS = f"{', '.join(f'{prefix}:NAME' for prefix in LOADERS)} or package.module:function, which returns a Pair"
TEXTS_PER_PASS = 64


class PromptHead(nn.Module):
    """A pair with texts that stay: signals `(batch, channel, *axes)` to their scores `(batch, texts)`.

    What depends on the texts alone is computed once. `named` are the classes that are names in a template, and stay
    when other prompts are asked for.
    """

    def __init__(self, pair: Pair, texts: Sequence[str], named: Sequence[str] = ()) -> None:
        super().__init__()
        self.pair, self.named, self.training = pair, tuple(named), pair.training
        self.texts = tuple(texts)
        prepared = _prepared(pair, texts)
        self.buffer_names = [f"text_{k}" for k in range(len(prepared))]
        for name, value in zip(self.buffer_names, prepared, strict=True):
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pair.prepared_scores(self.pair.read(x), *(getattr(self, name) for name in self.buffer_names))


@torch.no_grad()
def _prepared(pair: Pair, texts: Sequence[str]) -> list[Tensor]:
    tokens = pair.tokenize(texts)
    rows = zip(tokens.ids.split(TEXTS_PER_PASS), tokens.mask.split(TEXTS_PER_PASS), strict=True)
    parts = [pair.prepare(pair.embed_tokens(ids), mask) for ids, mask in rows]
    return [torch.cat(several) for several in zip(*parts, strict=True)]


def load_pair(name: str, *, weights: str | None = None, trust: bool = False) -> Pair:
    """The pair of a signal and a text called `name`, in evaluation mode.

    Names: 'hf:NAME_OR_FOLDER' (CLIP, SigLIP, SigLIP 2, BLIP's image–text matching and CLAP of transformers),
    'open_clip:NAME', with `weights` from a file in place of its own, and 'package.module:function', whose function
    returns a `Pair`. Raises `ValueError` for an unknown name, `OSError` for files and downloads that are unavailable,
    and `ImportError` for a missing package.

    >>> wl.models.load_pair("yamnet")
    Traceback (most recent call last):
        ...
    ValueError: texts are scored by a pair: hf:NAME, open_clip:NAME or ...
    """
    prefix, _, rest = name.partition(":")
    if prefix in LOADERS and rest:
        return LOADERS[prefix](rest, weights, trust).eval()
    if is_function(name):
        if weights is not None:
            raise ValueError(f"weights are for a pair by its name; {name} is a function. Load them there.")
        return _by_function(name).eval()
    raise ValueError(
        f"texts are scored by a pair: {PAIR_FORMS}; got {name!r}, which is a classifier. Name a pair, or one of its "
        "own classes as --target."
    )


def _by_function(name: str) -> Pair:
    try:
        function = imported(name)
    except ValueError as error:
        raise ValueError(f"{error} Texts are scored by a pair: {PAIR_FORMS}.") from error
    with importable_working_folder():
        made = function()
    if not isinstance(made, Pair):
        raise ValueError(
            f"{name} returns a {type(made).__name__}, which scores no texts: that takes a wavelens.models.Pair. Leave "
            "out prompts and labels for a classifier."
        )
    return made


def prompted_parts(name: str, options: Options) -> Parts:
    """The pair with the names of classes, in the template, and the prompts as its classes."""
    own = [key for key in ("mean", "std") if key in options.given]
    if own:
        raise ValueError(f"{', '.join(own)} is for classifiers; {name} has its own. Leave it out.")
    names = () if options.class_names is None else read_class_names(options.class_names)
    return _parts(load_pair(name, weights=options.weights, trust=options.trust), names, options)


def with_prompts(loaded: LoadedModel, prompts: Sequence[str]) -> LoadedModel:
    """The same pair asked for these prompts beside its named classes, in place of those before."""
    if not isinstance(loaded.module, PromptHead):
        raise ValueError(f"prompts are for pairs of a signal and a text; {loaded.name} is a classifier.")
    options = replace(loaded.options, prompts=tuple(prompts))
    parts = _parts(loaded.module.pair, loaded.module.named, options)
    return LoadedModel(parts.module, parts.labels, parts.preprocess, loaded.name, parts.link, options)


def prompted(pair: Pair, prompts: Sequence[str], name: str = "") -> LoadedModel:
    """A pair that is asked for texts: a classifier with these `prompts` as its classes.

    Its logits are the pair's scores of a signal and each text.
    """
    options = Options(prompts=tuple(prompts))
    parts = _parts(pair, (), options)
    return LoadedModel(parts.module, parts.labels, parts.preprocess, name or type(pair).__name__, parts.link, options)


def _parts(pair: Pair, names: Sequence[str], options: Options) -> Parts:
    prompts = [text.strip() for text in options.prompts or ()]
    if options.template is None:  # then a name is a text itself
        prompts = [text for text in prompts if text not in names]
    classes = (*names, *prompts)
    _check_different(classes)
    template = options.template or "{}"
    head = PromptHead(pair, [*(template.replace("{}", name) for name in names), *prompts], names)
    lone = len(classes) == 1 and pair.link == "softmax"
    return Parts(head, pair.preprocess, classes, "score" if lone else pair.link)


def _check_different(texts: Sequence[str]) -> None:
    """`ValueError` for an empty text, and for one that comes twice."""
    for k, text in enumerate(texts):
        if not text:
            raise ValueError(f"a prompt has at least one word; text {k + 1} of {len(texts)} is empty. Leave it out.")
        if text in texts[:k]:
            raise ValueError(f"each prompt is a class of its own; {text!r} comes twice. Leave one out.")
