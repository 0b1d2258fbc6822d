"""From a file and a model to an explanation: for the command, the app and Python alike."""

from wavelens.explaining.answer import Explanation
from wavelens.explaining.calls import explain
from wavelens.explaining.computing import explained
from wavelens.explaining.kinds import (
    KINDS,
    AsRead,
    FileSize,
    Input,
    Kind,
    Writer,
    kind_called,
    kind_of,
    register_kind,
)
from wavelens.explaining.question import ExplainedTarget, Question, question_of
from wavelens.explaining.reading import read_input
from wavelens.explaining.request import Request, request_for
from wavelens.explaining.tiled import TiledExplanation
from wavelens.explaining.tiles import explain_tiles

__all__ = [
    "KINDS",
    "AsRead",
    "ExplainedTarget",
    "Explanation",
    "FileSize",
    "Input",
    "Kind",
    "Question",
    "Request",
    "TiledExplanation",
    "Writer",
    "explain",
    "explain_tiles",
    "explained",
    "kind_called",
    "kind_of",
    "question_of",
    "read_input",
    "register_kind",
    "request_for",
]
