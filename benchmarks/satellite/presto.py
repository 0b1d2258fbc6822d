"""Presto (Tseng et al., 2023): a transformer over the bands of one pixel, here on one date of Sentinel-2 alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
GROUPS = {  # tokens, and which of BANDS they hold; those without are not given
    "S1": (),
    "S2_RGB": ("B02", "B03", "B04"),
    "S2_Red_Edge": ("B05", "B06", "B07"),
    "S2_NIR_10m": ("B08",),
    "S2_NIR_20m": ("B8A",),
    "S2_SWIR": ("B11", "B12"),
    "ERA5": (),
    "SRTM": (),
    "NDVI": (),
}
NUMBERS = {"S1": 2, "ERA5": 2, "SRTM": 2, "NDVI": 1}  # of what a token holds, where it is no band
COVER = ("water", "trees", "grass", "flooded vegetation", "crops", "shrub", "built", "bare", "snow")
WIDTH, HEADS, MONTHS, DATES = 128, 8, 12, 24
LAND_COVER = len(GROUPS)  # the channel of the token that is asked for


class Block(nn.Module):
    """Attention and two linear layers, each behind a norm and beside a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.attn.qkv(self.norm1(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.attn.proj(mixed)
        tokens: Tensor = x + self.mlp.fc2(nn.functional.gelu(self.mlp.fc1(self.norm2(x))))
        return tokens


class Encoder(nn.Module):
    """The tokens of what is given of a pixel."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {name: len(bands) or NUMBERS[name] for name, bands in GROUPS.items()}
        self.eo_patch_embed = nn.ModuleDict({name: nn.Linear(n, WIDTH) for name, n in sizes.items()})
        self.channel_embed, self.month_embed = nn.Embedding(LAND_COVER + 1, 32), nn.Embedding(MONTHS, 32)
        self.dw_embed, self.latlon_embed = nn.Embedding(10, WIDTH), nn.Linear(3, WIDTH)
        self.pos_embed = nn.Parameter(torch.zeros(1, DATES, 64))
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(2)), nn.LayerNorm(WIDTH)

    def forward(self, given: dict[str, Tensor], place: Tensor, month: int) -> Tensor:
        """`given` are (pixels, numbers) by token; the first of the tokens is of the place, a unit vector."""
        tokens = [self.latlon_embed(place).expand(len(next(iter(given.values()))), -1)]
        for name, values in given.items():
            channel = self.channel_embed.weight[list(GROUPS).index(name)]
            where = torch.cat([self.month_embed.weight[month], channel, self.pos_embed[0, 0]])
            tokens.append(self.eo_patch_embed[name](values) + where)
        x = torch.stack(tokens, 1)
        for block in self.blocks:
            x = block(x)
        normed: Tensor = self.norm(x)
        return normed


class Decoder(nn.Module):
    """All tokens of a pixel, those that were not given as a mask, and of the last the classes of land cover."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder_embed, self.mask_token = nn.Linear(WIDTH, WIDTH), nn.Parameter(torch.zeros(WIDTH))
        self.month_embed, self.pos_embed = nn.Embedding(MONTHS, 48), nn.Parameter(torch.zeros(1, DATES, 48))
        self.decoder_blocks, self.decoder_norm = nn.ModuleList(Block() for _ in range(2)), nn.LayerNorm(WIDTH)
        self.dw_decoder_pred = nn.Linear(WIDTH, len(COVER))

    def forward(self, encoded: Tensor, names: list[str], channels: nn.Embedding, month: int) -> Tensor:
        x = self.decoder_embed(encoded)
        held = {name: x[:, k + 1] for k, name in enumerate(names)}
        missing = self.mask_token.expand(len(x), -1)
        tokens = [x[:, 0]]
        for k, name in enumerate([*GROUPS, ""]):
            still = name == "SRTM"  # it has no date
            month_part = torch.zeros(48) if still else self.month_embed.weight[month]
            place = torch.zeros(48) if still else self.pos_embed[0, 0]
            where = torch.cat([month_part.to(x), channels.weight[k], place.to(x)])
            tokens.append(held.get(name, missing) + where)
        x = torch.stack(tokens, 1)
        for block in self.decoder_blocks:
            x = block(x)
        logits: Tensor = self.dw_decoder_pred(self.decoder_norm(x)[:, -1])
        return logits


class Presto(nn.Module):
    """Reflectance `(batch, 10, rows, columns)` of BANDS to logits `(batch, 9, rows, columns)` of COVER, pixel by pixel.

    `month` counts from 0; `latitude` and `longitude` are in degrees.
    """

    place: Tensor

    def __init__(self, month: int = 6, latitude: float = 50.0, longitude: float = 10.0) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()
        self.month = month
        lat, lon = torch.deg2rad(torch.tensor([latitude, longitude]))
        unit = torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()])
        self.register_buffer("place", unit, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.movedim(1, -1).reshape(-1, x.shape[1])
        given = {name: pixels[:, [BANDS.index(band) for band in bands]] for name, bands in GROUPS.items() if bands} | {
            "NDVI": ndvi(pixels)
        }
        encoded = self.encoder(given, self.place, self.month)
        logits = self.decoder(encoded, list(given), self.encoder.channel_embed, self.month)
        return logits.reshape(x.shape[0], *x.shape[2:], -1).movedim(-1, 1)


def ndvi(pixels: Tensor) -> Tensor:
    """(near infrared − red) / (near infrared + red), 0 where both are 0: `(pixels, 1)`."""
    near, red = pixels[:, BANDS.index("B08")], pixels[:, BANDS.index("B04")]
    total = near + red
    return ((near - red) / total.where(total > 0, 1)).where(total > 0, 0)[:, None]
