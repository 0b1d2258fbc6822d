"""docs/assets/badges: the version, what is needed and the licence, as pyproject.toml has them.

python release/badges.py
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

import wavelens as wl

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "assets" / "badges"
FONT = 'font-family="Verdana, DejaVu Sans, sans-serif" font-size="11"'
LETTER, SPACE = 6.5, 6  # px: the mean width of a letter of 11 px, and what is free beside a text


def badges() -> dict[str, str]:
    """SVG files by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    torch = next(one for one in project["dependencies"] if one.startswith("torch>="))
    said = {
        "version": ("wavelens", wl.__version__, "#2a5a8a"),
        "python": ("Python", project["requires-python"].replace(">=", "≥ "), "#2a5a8a"),
        "pytorch": ("PyTorch", torch.removeprefix("torch").split(",")[0].replace(">=", "≥ "), "#b23c17"),
        "licence": ("licence", project["license"], "#2f6b3a"),
    }
    return {f"{name}.svg": _badge(*one) for name, one in said.items()}


def _badge(name: str, value: str, colour: str) -> str:
    widths = [round(len(text) * LETTER + 2 * SPACE) for text in (name, value)]
    middles = widths[0] / 2, widths[0] + widths[1] / 2
    texts = "".join(
        f'<text x="{x}" y="14">{escape(text)}</text>' for x, text in zip(middles, (name, value), strict=True)
    )
    label = escape(f"{name} {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{sum(widths)}" height="20" role="img" aria-label="{label}">\n'
        f"<title>{label}</title>\n"
        f'<clipPath id="round"><rect width="{sum(widths)}" height="20" rx="3"/></clipPath>\n'
        f'<g clip-path="url(#round)"><rect width="{widths[0]}" height="20" fill="#444"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="20" fill="{colour}"/></g>\n'
        f'<g fill="#fff" text-anchor="middle" {FONT}>{texts}</g>\n'
        "</svg>\n"
    )


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in badges().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
