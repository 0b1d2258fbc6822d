"""Whole data sets: a task over every item, in shards that survive anything, on as many workers as there are."""

from wavelens.runs.executors.cluster import Ray
from wavelens.runs.executors.local import Local
from wavelens.runs.executors.processes import Processes
from wavelens.runs.progress import Progress
from wavelens.runs.running import Executor, run
from wavelens.runs.statistics.profiles import Average, average
from wavelens.runs.store.reading import Results, Run
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
