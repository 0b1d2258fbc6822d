"""What is being done, for who waits: a logger, which the program shows on stderr where there is no terminal."""

from __future__ import annotations

import logging

PROGRESS = logging.getLogger("wavelens.progress")
