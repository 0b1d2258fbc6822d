"""Formats of sound files by their first bytes: those that libsndfile decodes, and those that FFmpeg does."""

from __future__ import annotations

from typing import NamedTuple

HEAD_BYTES = 400  # two packets of a transport stream
PACKET_BYTES, SYNC = 188, b"\x47"  # of a transport stream


class Mark(NamedTuple):
    """`name` is the format of a file that has `bytes` at `offset`."""

    offset: int
    bytes: bytes
    name: str


OWN = (  # libsndfile's, by which FFmpeg is asked only for codecs that libsndfile lacks
    Mark(8, b"WAVE", "WAV"),
    Mark(0, b"riff", "Wave64"),
    Mark(0, b"fLaC", "FLAC"),
    Mark(0, b"OggS", "Ogg"),
    Mark(8, b"AIFF", "AIFF"),
    Mark(8, b"AIFC", "AIFF"),
    Mark(0, b".snd", "AU"),
    Mark(0, b"caff", "CAF"),
)
FOREIGN = (
    *(Mark(4, box, "MP4 or QuickTime (m4a, mov, 3gp)") for box in (b"ftyp", b"moov", b"mdat", b"wide")),
    Mark(0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    Mark(0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "Windows Media (wma, asf)"),
    Mark(8, b"AVI ", "AVI"),
    Mark(0, b"FLV\1", "Flash Video (flv)"),
    Mark(0, b"\0\0\1\xba", "MPEG program stream (mpg, vob)"),
    Mark(0, b"#!AMR", "AMR"),
    Mark(0, b"\x0b\x77", "AC-3"),
    *(Mark(0, bytes((0xFF, second)), "AAC") for second in (0xF0, 0xF1, 0xF8, 0xF9)),
    Mark(0, b"wvpk", "WavPack"),
    Mark(0, b"TTA1", "True Audio"),
    Mark(0, b"MAC ", "Monkey's Audio"),
    Mark(0, b"MPCK", "Musepack"),
    Mark(0, b"MP+", "Musepack"),
    Mark(0, b"DSD ", "DSD"),
    Mark(0, b".RMF", "RealMedia"),
    Mark(0, b"\x7f\xfe\x80\x01", "DTS"),
)
DEMUXERS = (  # FFmpeg's that read nothing but the file itself, and tell their format by its content
    "aac ac3 adx aea aiff alp amr ape asf ast au avi bfstm bonk brstm caf dsf dts dtshd eac3 flac flv gxf hca iff "
    "kvag loas matroska mlp mmf mov mpc mpc8 mpeg mpegts mxf nsv nut ogg oma osq qcp qoa rm roq rso shn smjpeg sox "
    "swf tak tta truehd voc w64 wav wtv wv xwma"
).split()


def own_format(head: bytes) -> str | None:
    """The name of a format that libsndfile decodes."""
    return _named(OWN, head)


def foreign_format(head: bytes) -> str | None:
    """The name of a format that FFmpeg decodes, and libsndfile does not."""
    for start in (0, 4):  # in .m2ts, each packet is preceded by its time
        step = PACKET_BYTES + start
        if head[start : start + 1] == SYNC == head[start + step : start + step + 1]:
            return "MPEG transport stream (ts, m2ts)"
    return _named(FOREIGN, head)


def _named(marks: tuple[Mark, ...], head: bytes) -> str | None:
    return next((mark.name for mark in marks if head[mark.offset :].startswith(mark.bytes)), None)
