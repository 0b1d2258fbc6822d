"""From a file and a model to an explanation: for the command, the app and Python alike."""

from wavelens.explaining.answer import Explanation, explained, top_classes
from wavelens.explaining.kinds import KINDS, Input, Kind, kind_called, kind_of
from wavelens.explaining.question import ExplainedTarget, Question, question_of
from wavelens.explaining.reading import read_input
from wavelens.explaining.request import Request

__all__ = [
    "KINDS",
    "ExplainedTarget",
    "Explanation",
    "Input",
    "Kind",
    "Question",
    "Request",
    "explained",
    "kind_called",
    "kind_of",
    "question_of",
    "read_input",
    "top_classes",
]
