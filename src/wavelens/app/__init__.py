"""The app: explanations in a browser. A desk computes in turns what pages ask for; the page shows it.

`serve` needs Gradio; everything else here runs without it.
"""

from wavelens.app.choices import Wish
from wavelens.app.desk import Desk, Result, Served
from wavelens.app.limits import Limits
from wavelens.app.line import Refused, Step, Stopped
from wavelens.app.server import application, serve

__all__ = ["Desk", "Limits", "Refused", "Result", "Served", "Step", "Stopped", "Wish", "application", "serve"]
