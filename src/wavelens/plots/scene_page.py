"""The page around a scene: its title, and colours that follow the reader's system, light or dark."""

from __future__ import annotations

import html
import json
from typing import Any

LIGHT = {"paper": "#ffffff", "ink": "#201d24", "wall": "#f1eef5", "line": "#d5d0da", "field": "#ffffff"}
DARK = {"paper": "#131217", "ink": "#ece9ee", "wall": "#1c1a21", "line": "#3d3945", "field": "#26232c"}
STYLE = """<style>
  html, body { margin: 0; background: #ffffff; }
  @media screen and (prefers-color-scheme: dark) {
    html, body { background: #131217; }
    .updatemenu-item-rect { fill: #26232c !important; }
    .updatemenu-header-arrow { fill: #ece9ee !important; }
    .modebar-btn path { fill: #a9a3b1 !important; }
  }
</style>"""
SCRIPT = """
const plot = document.getElementById("{plot_id}"), dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => Plotly.relayout(plot, dark.matches ? DARK : LIGHT);
dark.addEventListener("change", follow);
follow();
"""


def themed(figure: Any, title: str) -> str:
    """The page of a plotly figure, complete in itself."""
    script = f"const LIGHT = {json.dumps(_layout(LIGHT))}, DARK = {json.dumps(_layout(DARK))};{SCRIPT}"
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False}, post_script=script)
    head = f'<head><meta name="viewport" content="width=device-width, initial-scale=1">{STYLE}'
    return page.replace("<head>", f"{head}<title>{html.escape(title)}</title>", 1)


def _layout(colours: dict[str, str]) -> dict[str, Any]:
    """What plotly's layout changes for these colours."""
    walls = {
        f"scene.{letter}axis.{name}": colours[colour]
        for letter in "xyz"
        for name, colour in (("backgroundcolor", "wall"), ("gridcolor", "line"), ("zerolinecolor", "line"))
    }
    controls = {
        f"{control}.{name}": colours[colour]
        for control in ("updatemenus[0]", "updatemenus[1]", "sliders[0]")
        for name, colour in (("bgcolor", "field"), ("bordercolor", "line"))
    }
    whole = {"paper_bgcolor": colours["paper"], "plot_bgcolor": colours["paper"], "font.color": colours["ink"]}
    return whole | walls | controls
