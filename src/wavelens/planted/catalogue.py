"""The tasks that come with the library: four for making choices, the others for judging."""

from __future__ import annotations

from wavelens.planted.patterns import Wave
from wavelens.planted.tasks import PlantedTask

DOWN, RIGHT, SLANTED = (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)
SQUARE = (64, 64)
SLANTED_DISTRACTOR = Wave(wavelength=3.0, direction=SLANTED, width=4.0, amplitude=1.6)


def _grating(wavelength: float, direction: tuple[float, ...] = DOWN, amplitude: float = 1.6) -> Wave:
    return Wave(wavelength, direction, width=5.0, amplitude=amplitude)


def _tone(wavelength: float, amplitude: float = 1.2) -> Wave:
    return Wave(wavelength, (1.0,), width=24.0, amplitude=amplitude)


CHOOSING = (
    PlantedTask(
        "orientation",
        SQUARE,
        ("horizontal", "vertical"),
        (((_grating(6.0, DOWN),),), ((_grating(6.0, RIGHT),),)),
        SLANTED_DISTRACTOR,
        "choosing",
    ),
    PlantedTask(
        "wavelength",
        SQUARE,
        ("short", "long"),
        (((_grating(6.0),),), ((_grating(11.0, amplitude=2.4),),)),
        SLANTED_DISTRACTOR,
        "choosing",
    ),
    PlantedTask(
        "presence", SQUARE, ("absent", "present"), (((),), ((_grating(6.0),),)), SLANTED_DISTRACTOR, "choosing"
    ),
    PlantedTask(
        "pitch",
        (512,),
        ("high", "low"),
        (((_tone(6.0),),), ((_tone(12.0, amplitude=1.6),),)),
        Wave(3.0, (1.0,), width=16.0, amplitude=1.2),
        "choosing",
    ),
)
"""The tasks on which choices are made: defaults, and measures."""

JUDGING = (
    PlantedTask(  # one pattern alone decides nothing
        "both",
        SQUARE,
        ("not both", "both"),
        (((), (_grating(6.0, DOWN),), (_grating(6.0, RIGHT),)), ((_grating(6.0, DOWN), _grating(6.0, RIGHT)),)),
        SLANTED_DISTRACTOR,
    ),
    PlantedTask(
        "either",
        SQUARE,
        ("neither", "either"),
        (((),), ((_grating(6.0, DOWN),), (_grating(6.0, RIGHT),))),
        SLANTED_DISTRACTOR,
    ),
    PlantedTask(
        "texture",
        SQUARE,
        ("horizontal", "vertical"),
        (((Wave(6.0, DOWN, None, 0.5),),), ((Wave(6.0, RIGHT, None, 0.5),),)),
        SLANTED_DISTRACTOR,
    ),
    PlantedTask(
        "faint orientation",
        SQUARE,
        ("horizontal", "vertical"),
        (((_grating(6.0, DOWN, 1.3),),), ((_grating(6.0, RIGHT, 1.3),),)),
        SLANTED_DISTRACTOR,
    ),
    PlantedTask(
        "faint pitch",
        (512,),
        ("high", "low"),
        (((_tone(6.0, 1.0),),), ((_tone(12.0, 1.4),),)),
        Wave(3.0, (1.0,), width=16.0, amplitude=1.2),
    ),
    PlantedTask(
        "planes",
        (16, 16, 16),
        ("across", "along"),
        (((Wave(5.0, (1.0, 0.0, 0.0), 2.5, 2.0),),), ((Wave(5.0, (0.0, 0.0, 1.0), 2.5, 2.0),),)),
        Wave(3.0, (1.0, 1.0, 1.0), width=2.0, amplitude=2.0),
    ),
    PlantedTask(
        "blob",
        (16, 16, 16),
        ("dark", "bright"),
        (((Wave(None, (1.0, 0.0, 0.0), 1.5, -4.0),),), ((Wave(None, (1.0, 0.0, 0.0), 1.5, 4.0),),)),
        Wave(4.0, (1.0, 1.0, 1.0), width=2.0, amplitude=2.0),
    ),
    PlantedTask(
        "bump",
        (128,),
        ("dent", "bump"),
        (((Wave(None, RIGHT, 0.12, -12.0),),), ((Wave(None, RIGHT, 0.12, 12.0),),)),
        Wave(0.3, RIGHT, width=0.15, amplitude=3.0),
        cloud=True,
    ),
)
"""The tasks on which methods are judged; no choice was made on them."""
TASKS = {task.name: task for task in (*CHOOSING, *JUDGING)}
"""All tasks by name."""
