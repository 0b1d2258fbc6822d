"""Prompts as targets: 'text:a dog on a sofa' makes that text a class of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wavelens.models import LoadedModel, Pair, prompted
from wavelens.models.loaded import PROMPT_MARK
from wavelens.models.prompts import with_prompts


def is_prompt(target: object) -> bool:
    """Whether a target is a text that a pair is asked for."""
    return isinstance(target, str) and target.startswith(PROMPT_MARK)


def prompts_among(*targets: Any) -> tuple[str, ...]:
    """The texts of the targets that are prompts, each once; `ValueError` for an empty one."""
    texts = [target.removeprefix(PROMPT_MARK).strip() for target in targets if is_prompt(target)]
    if "" in texts:
        raise ValueError(
            f"a prompt must have at least one word; got '{PROMPT_MARK}'. Write '{PROMPT_MARK}a dog on a sofa'."
        )
    return tuple(dict.fromkeys(texts))


def asked_for(prompts: Sequence[str] | None, *targets: Any) -> tuple[str, ...] | None:
    """The prompts of a model's options with those among the targets; None where there are none."""
    return tuple(dict.fromkeys([*(prompts or ()), *prompts_among(*targets)])) or None


def asking(model: LoadedModel | Pair, *targets: Any) -> LoadedModel:
    """The model asked for the prompts among the targets, beside those that it has."""
    prompts = prompts_among(*targets)
    if isinstance(model, Pair):
        if not prompts:
            raise ValueError(
                f"{type(model).__name__} scores a signal and a text; give it a text: "
                f"target='{PROMPT_MARK}a dog on a sofa'."
            )
        return prompted(model, prompts)
    new = [prompt for prompt in prompts if prompt not in model.labels]
    return with_prompts(model, [*(model.options.prompts or ()), *new]) if new else model
