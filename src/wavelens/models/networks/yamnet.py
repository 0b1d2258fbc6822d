"""YAMNet (Plakal and Ellis, 2019): the 521 sounds of AudioSet from a MobileNet over a log-mel spectrogram."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from wavelens.frontends.mel import LogMel
from wavelens.models.labels import shipped_labels
from wavelens.models.loaded import Parts, Variant
from wavelens.models.preparations.audio import Sampling, Windowed
from wavelens.models.weights import without_weights

RATE = 16000
FRAME, HOP, N_FFT = 400, 160, 512  # samples
PATCH, STEP = 96, 48  # frames
FAINTEST = 1e-4  # the score that all others are mixed with
MIN_SAMPLES = FRAME + HOP * (PATCH - 1)
CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)  # after conv1 and each pointwise one
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)  # of the depthwise convolutions


class Same(nn.Conv2d):
    """A convolution with TensorFlow's 'same' padding: ⌈n / stride⌉ results, the odd zero at the end."""

    def forward(self, x: Tensor) -> Tensor:
        sides = []
        for n, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            missing = max((-(-n // stride) - 1) * stride + kernel - n, 0)
            sides += [missing // 2, missing - missing // 2]
        return super().forward(pad(x, sides))


class YAMNet(nn.Module):
    """Waveforms `(batch, 1, samples)` at 16 kHz in [-1, 1] to logits `(batch, classes)`, whose sigmoid are the scores.

    The waveform becomes a log-mel spectrogram and is heard in patches of 0.96 s every 0.48 s (`patches`); a clip's
    score is the mean over its patches, as published, and the logit that of this mean. A clip is followed by silence up
    to a whole number of patches.

    Scores below 1e-4 (and above 1 - 1e-4) are not told apart. On silence the network's own logits fall to some -400, so
    that an account of them would tell a sound from no sound, whatever the class.
    """

    def __init__(self, classes: int = 521) -> None:
        super().__init__()
        self.logmel = LogMel(
            RATE, n_fft=N_FFT, hop_length=HOP, win_length=FRAME, n_mels=64, fmin=125.0, fmax=7500.0, power=1.0,
            mel_scale="htk", norm=None, triangles="mel", center=False, log="log", offset=1e-3,
        )  # fmt: skip
        self.conv1 = Same(1, CHANNELS[0], 3, 2)
        for k, (before, after, stride) in enumerate(zip(CHANNELS, CHANNELS[1:], STRIDES, strict=False), 2):
            setattr(self, f"dw{k}", Same(before, before, 3, stride, groups=before))
            setattr(self, f"pw{k}", nn.Conv2d(before, after, 1))
        self.classifier = nn.Linear(CHANNELS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.pooled(self.classifier(self.features(self.patches(x))).unflatten(0, (len(x), -1)))

    def patches(self, x: Tensor) -> Tensor:
        """Log-mel patches `(batch · patches, 1, 96, 64)`, those of an item next to each other."""
        more = -(-max(x.shape[-1] - MIN_SAMPLES, 0) // (STEP * HOP))
        x = pad(x, (0, MIN_SAMPLES + more * STEP * HOP - x.shape[-1]))
        centred = (N_FFT - FRAME) // 2  # torch centres a frame in its FFT, TensorFlow starts it there
        frames: Tensor = self.logmel(pad(x, (centred, centred))).transpose(2, 3)
        return frames.unfold(2, PATCH, STEP).permute(0, 2, 1, 4, 3).flatten(0, 1)

    def features(self, patches: Tensor) -> Tensor:
        """What the classifier sees of patches, `(rows, 1024)`."""
        x = torch.relu(self.conv1(patches))
        for k in range(2, len(CHANNELS) + 1):
            x = torch.relu(getattr(self, f"pw{k}")(torch.relu(getattr(self, f"dw{k}")(x))))
        return x.mean((2, 3))

    @staticmethod
    def pooled(logits: Tensor) -> Tensor:
        """The logit of the mean score over patches, `(batch, patches, classes)` to `(batch, classes)`."""
        present, absent = (FAINTEST + (1 - 2 * FAINTEST) * torch.sigmoid(s * logits).mean(1) for s in (1, -1))
        return present.log() - absent.log()


def yamnet(variant: Variant) -> Parts:
    """The network for clips of any length, heard in windows of ten seconds beyond that."""
    if variant.pretrained:
        raise without_weights("yamnet", "YAMNet's layers conv1, dw2, pw2 … classifier")
    module = Windowed(YAMNet(variant.classes or 521), 10 * RATE)
    return Parts(module, Sampling(RATE, least=MIN_SAMPLES), shipped_labels("audioset521.txt"), "sigmoid")
