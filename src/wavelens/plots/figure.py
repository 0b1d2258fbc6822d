"""`Figure`: Matplotlib's, that shows itself in a notebook."""

from __future__ import annotations

import io

from matplotlib.figure import Figure as Plain


class Figure(Plain):
    """A figure that a cell may end with; IPython draws Matplotlib's own only where pyplot was imported."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
