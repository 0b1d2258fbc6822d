"""Pictures of docs/gallery.md of photos of COCO and their captions, explained on both sides.

    python benchmarks/gallery/words.py cake            # one of the gallery's
    python benchmarks/gallery/words.py --look FOLDER   # the first twenty photos and captions, to look at

The pair is that of `benchmarks/pairs/at_hand.py`. Only photos under CC BY 2.0 are shown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1] / "paper"))
sys.path.insert(0, str(Path(__file__).parents[1] / "pairs"))  # whose at_hand comes first
import at_hand
import pictures
from harness import coco

import wavelens as wl

DOMAIN, METHOD = wl.DWT("haar", levels=5), wl.IntegratedGradients(tolerance=0.02)
ATTRIBUTION = 4  # the number of CC BY 2.0 among COCO's licences
LOOKED = 20
GALLERY = {  # a name: the photo and which of its captions
    "bowl": ("000000099053.jpg", 0),
    "bird": ("000000126107.jpg", 0),
    "cake": ("000000000790.jpg", 0),
}


def drawn(file: str, caption: int) -> Figure:
    """The text with its words, where they are answered, and the table of scales and words."""
    image = coco.image_of(file)
    assert image["license"] == ATTRIBUTION, f"{file} is not under CC BY 2.0"
    x = at_hand.photo(file)
    both = wl.pairs.both_sides(at_hand.photo_text(), x, image["captions"][caption], domain=DOMAIN, method=METHOD)
    account = both.account
    figure = wl.plots.add_sides(wl.plots.figure.Figure((16.0, 0.1), facecolor="white"), both, x)
    print(file, image["flickr_url"], f"score {account.score:.2f}, baseline {account.baseline_score:.2f}", flush=True)
    return figure


def look(folder: Path) -> None:
    """The first captions of the first photos that may be shown."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = [one for one in coco.annotations()["images"] if one["license"] == ATTRIBUTION][:LOOKED]
    for one in shown:
        path = folder / f"{Path(one['file']).stem}.png"
        if not path.exists():
            pictures.drawn(drawn(one["file"], 0)).save(path)


def main() -> None:
    known = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known.add_argument("names", nargs="*", choices=[[], *GALLERY])
    known.add_argument("--look", type=Path)
    options = known.parse_args()
    torch.set_num_threads(1)
    if options.look:
        look(options.look)
    for name in options.names:
        pictures.keep(pictures.drawn(drawn(*GALLERY[name])), f"gallery/words-{name}.webp")


if __name__ == "__main__":
    main()
