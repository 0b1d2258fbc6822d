"""How the pages' pictures are kept: small, and no worse for the eye."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def drawn(figure: Figure, dpi: int = 80) -> Image.Image:
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=dpi)
    return Image.open(written).convert("RGB")


def keep(picture: Image.Image, name: str) -> None:
    """Into docs/images: what shows photos as .webp, drawings as .png with 256 colours."""
    path = IMAGES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".webp":
        picture.save(path, quality=85, method=6)
    else:
        picture.quantize(256).save(path, optimize=True)
    print(name, f"{path.stat().st_size / 1000:.0f} kB", flush=True)
