"""The app: explanations in a browser. A service computes in turns what pages ask for; the page shows it.

`serve` needs Gradio; everything else here runs without it.
"""

from wavelens.app.choices import Wish
from wavelens.app.limits import Limits
from wavelens.app.request_queue import Refused, Step, Stopped
from wavelens.app.served import Result, Served
from wavelens.app.server import application, serve
from wavelens.app.service import Service

__all__ = ["Limits", "Refused", "Result", "Served", "Service", "Step", "Stopped", "Wish", "application", "serve"]
