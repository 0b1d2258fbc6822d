"""Whole data sets: a task over every item, in shards that survive anything, on as many workers as there are."""

from wavelens.runs.cluster import Ray
from wavelens.runs.local import Local
from wavelens.runs.processes import Processes
from wavelens.runs.profiles import Average, average
from wavelens.runs.progress import Progress
from wavelens.runs.reading import Results, Run
from wavelens.runs.running import Executor, run
from wavelens.runs.task import Failure, Task

__all__ = [
    "Average",
    "Executor",
    "Failure",
    "Local",
    "Processes",
    "Progress",
    "Ray",
    "Results",
    "Run",
    "Task",
    "average",
    "run",
]
