"""Networks of encephalograms from braindecode (Schirrmeister et al., 2017), with a checkpoint of one's own."""

from __future__ import annotations

from torch import nn

from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_call, unknown_name
from wavelens.models.preparations.series import Traces
from wavelens.optional import installed

NEEDED = ("n_chans", "n_outputs", "n_times")


def from_braindecode(text: str, variant: Variant) -> Parts:
    """The network called `text` in `braindecode:text`: a name with arguments, as braindecode's constructor has them.

    'EEGNet(n_chans=22, n_outputs=4, n_times=1000, sfreq=250)': `n_chans` and `n_times` are its input's shape, `sfreq`
    its rate, if it is given.
    """
    name, given = read_call("braindecode", text)
    models = installed("braindecode.models")
    made = getattr(models, name, None)
    if not (isinstance(made, type) and issubclass(made, nn.Module)):
        known = [n for n in dir(models) if isinstance(getattr(models, n), type) and n[0].isupper()]
        raise unknown_name("braindecode", name, known)
    if lacking := [argument for argument in NEEDED if argument not in given]:
        raise ValueError(
            f"braindecode:{name} is given its {', '.join(lacking)}: {name}(n_chans=22, n_outputs=4, n_times=1000)."
        )
    if variant.pretrained:
        raise ValueError(f"braindecode:{name} comes without weights; give a checkpoint with weights (--weights).")
    try:
        module = made(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"braindecode:{text} could not be built: {' '.join(str(error).split())}") from error
    rate = given.get("sfreq")
    return Parts(module, Traces((given["n_chans"], given["n_times"]), None if rate is None else float(rate)))
