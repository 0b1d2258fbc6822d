"""Texts as targets of models that write: 'answer:a red bus', 'answer:a [red] bus' for a word, 'word:red'."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from wavelens.explaining.kinds import Input
from wavelens.models import LoadedModel
from wavelens.models.writers import Answered, Writer

if TYPE_CHECKING:  # a request holds what is asked
    from wavelens.explaining.request import Request

ANSWER, WORD = "answer:", "word:"
MOST_ROWS = 40  # of a text and its words, in tables
FORM = (
    "a text is written 'answer:a red bus', 'answer:a [red] bus' for one of its words, 'word:red' for a word that the "
    "model writes itself"
)


def is_answer(target: object) -> bool:
    """Whether a target is a text that a model may write, or a word of what it writes."""
    return isinstance(target, str) and target.startswith((ANSWER, WORD))


@dataclass(frozen=True)
class Answer:
    """A text that a model may write, or where it is None what it writes of each input; and one `word` of it, or all.

    `option` is what it is called on a command line.
    """

    option: str
    text: str | None
    word: str | None

    def __call__(self, loaded: LoadedModel, one: Input) -> tuple[LoadedModel, int]:
        """The model asked for the text, and its output for what is explained; `ValueError` for a word not in it."""
        writer = loaded.module
        if not isinstance(writer, Writer):
            raise ValueError(f"--target {self.option} is for a model that writes; {loaded.name} is a classifier.")
        text = writer.write(one.x) if self.text is None else self.text
        if not text.strip():
            raise ValueError(
                f"--target {self.option} is of what {loaded.name} writes; of this input it writes nothing."
            )
        module = Answered(writer, text)
        asked = replace(loaded, module=module, labels=module.labels, link="exp")
        return asked, 0 if self.word is None else _place(module, self.word, self.option)


def answer_of(option: str) -> Answer:
    """What such a text means; `ValueError` for an empty one, and for brackets around more than one word."""
    kind, _, text = option.partition(":")
    if not text.strip("[] "):
        raise ValueError(f"{FORM}; got {option!r}.")
    if f"{kind}:" == WORD:
        return Answer(option, None, text.strip())
    marked = re.findall(r"\[([^\[\]]*)\]", text)
    if len(marked) > 1 or (marked and len(marked[0].split()) != 1) or ("[" in text) != bool(marked):
        raise ValueError(f"{FORM}; got {option!r}.")
    return Answer(option, text.replace("[", "").replace("]", "").strip(), marked[0] if marked else None)


def answering(request: Request, one: Input) -> tuple[Request, Input]:
    """The request for a model that is asked for its text, and the input with what it answers; else both as they are."""
    answer = request.question.answer
    if answer is None:
        return request, one
    loaded, place = answer(request.loaded, one)
    with torch.no_grad():
        logits = loaded.module(one.x)[0].float()
    question, rows = replace(request.question, target=place), max(request.top, min(len(logits), MOST_ROWS))
    return replace(request, loaded=loaded, question=question, top=rows), replace(one, logits=logits)


def _place(module: Answered, word: str, option: str) -> int:
    """The output of a word; capitals and punctuation around it do not matter."""
    bare = [_bare(one.text) for one in module.words]
    if _bare(word) not in bare:
        text = module.labels[0]
        raise ValueError(f"--target {option} is a word of the text {text!r:.80}, which has no such word.")
    return module.place(module.words[bare.index(_bare(word))])


def _bare(word: str) -> str:
    return word.strip("\"'.,;:!?()[]").casefold()
