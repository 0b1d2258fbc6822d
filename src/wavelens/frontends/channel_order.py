"""The order of a sound's channels: that of WAVE, in which FFmpeg gives them, whatever the file's own order is."""

from __future__ import annotations

Order = tuple[int, ...]  # by place in WAVE: the place in the file

VORBIS: dict[int, Order] = {  # by the number of channels; Vorbis I specification, 4.3.9, and RFC 7845, 5.1.1.2
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
ALAC: dict[int, Order] = {  # the layouts of Apple's ALACAudioTypes.h
    3: (1, 2, 0),
    4: (1, 2, 0, 3),
    5: (1, 2, 0, 3, 4),
    6: (1, 2, 0, 5, 3, 4),
    7: (1, 2, 0, 6, 3, 4, 5),
    8: (3, 4, 0, 7, 5, 6, 1, 2),
}
OPUS_FAMILY_AT = 18  # byte of the header `OpusHead`
SURROUND_FAMILY = 1  # channels in Vorbis' order; the other families state none


def order_of(format_name: str, subtype: str, channels: int, head: bytes) -> Order | None:
    """The places in the file of the channels in WAVE's order, or None where the file has that order.

    `format_name` and `subtype` are libsndfile's, `head` the first bytes of the file.
    """
    if format_name == "CAF" and subtype.startswith("ALAC"):
        return ALAC.get(channels)
    if format_name != "OGG" or subtype not in ("VORBIS", "OPUS"):
        return None
    family = head.find(b"OpusHead") + OPUS_FAMILY_AT
    if subtype == "OPUS" and head[family : family + 1] != bytes([SURROUND_FAMILY]):
        return None
    return VORBIS.get(channels)


def inverse(order: Order) -> Order:
    """By place in the file: the place in WAVE."""
    return tuple(order.index(place) for place in range(len(order)))
