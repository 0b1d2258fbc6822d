"""The version, in one place, and that of PyWavelets as it is installed."""

from functools import cache

__version__ = "1.0.0"


@cache
def pywavelets_version() -> str:
    """That of the distribution: `pywt.__version__` of some releases is an earlier one."""
    from importlib import metadata  # only where it is asked for: the command says its own version at once

    try:
        return metadata.version("PyWavelets")
    except metadata.PackageNotFoundError:
        import pywt

        return str(pywt.__version__)
