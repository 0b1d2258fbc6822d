"""Texts: what is read, what begins where, and Haar wavelets on the words of a text."""

import math

import pytest
import torch

import wavelens as wl
from wavelens.frontends.text import PARAGRAPH, PHRASE, SENTENCE, WORD, read_text, words_of

BEGINS = (4, 1, 0, 2, 1, 3, 1, 0, 0, 2, 4, 1, 1)  # two paragraphs, the first of two sentences of two phrases each


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def begun(text):
    return [(text[word.start : word.stop], word.begins) for word in words_of(text)]


def test_words_begin_phrases_sentences_and_paragraphs():
    assert begun("Dull, they said. Mr. Hall (a critic) slept… and left!\n\nNot us.") == [
        ("Dull,", PARAGRAPH),
        ("they", PHRASE),
        ("said.", WORD),
        ("Mr.", SENTENCE),
        ("Hall", WORD),
        ("(a", PHRASE),
        ("critic)", WORD),
        ("slept…", PHRASE),
        ("and", WORD),
        ("left!", WORD),
        ("Not", PARAGRAPH),
        ("us.", WORD),
    ]
    assert begun("# Plot\nnone\n- slow\n- loud") == [
        ("#", PARAGRAPH),
        ("Plot", WORD),
        ("none", WORD),
        ("-", SENTENCE),
        ("slow", PHRASE),
        ("-", SENTENCE),
        ("loud", PHRASE),
    ]
    assert begun("很好。不坏") == [
        ("很", PARAGRAPH),
        ("好。", WORD),
        ("不", SENTENCE),
        ("坏", WORD),
    ]


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbfd\xc3\xa9j\xc3\xa0\r\nvu", "d\xe9j\xe0\nvu".encode("utf-16"), b"d\xc3\xa9j\xc3\xa0\rvu"]
)
def test_byte_order_marks_and_line_ends_are_no_part_of_a_text(tmp_path, data):
    (tmp_path / "review.txt").write_bytes(data)
    assert read_text(tmp_path / "review.txt").content == "déjà\nvu"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b" \n", "a text has at least one word"),
        (b"\xff\xd8\xff\xe0JFIF", r"is UTF-8; .*photo.jpg is not, from byte 0 \(0xff\) on"),
        (b"\x89PNG\0\0", "photo.jpg holds zero bytes, as pictures"),
        (b"", "is empty"),
        (b"a" * 4_000_001, "up to 4,000,000 bytes; .* has 4,000,001"),
    ],
)
def test_a_file_that_is_no_text_is_told_in_a_line(tmp_path, data, said):
    (tmp_path / "photo.jpg").write_bytes(data)
    with pytest.raises(ValueError, match=said):
        read_text(tmp_path / "photo.jpg")


def contrasts(begins):
    """Each coefficient of a text by its definition, (part, row): the slow way, and independent of the nodes."""
    n = len(begins)

    def inside(first, last, part):
        starts = [first, *(k for k in range(first + 1, last) if begins[k] >= part)]
        stops = [*starts[1:], last]
        return list(zip(starts, stops, strict=True))

    def between(children, part):
        if len(children) == 1:
            return inner(*children[0], part - 1)
        half = (len(children) + 1) // 2
        left, right = children[:half], children[half:]
        (a, b), (_, c) = (left[0][0], left[-1][1]), (right[0][0], right[-1][1])
        row = torch.zeros(n, dtype=torch.float64)
        scale = math.sqrt((b - a) * (c - b) / (c - a))
        row[a:b], row[b:c] = scale / (b - a), -scale / (c - b)
        return [(part, a, b, row), *between(left, part), *between(right, part)]

    def inner(first, last, part):
        return between(inside(first, last, part), part) if part >= 0 and last - first > 1 else []

    rows = sorted(inner(0, n, 4), key=lambda one: (-one[0], *one[1:3]))
    return torch.stack([torch.full((n,), 1 / math.sqrt(n), dtype=torch.float64), *(row for *_, row in rows)])


def test_coefficients_are_the_contrasts_of_the_hierarchy():
    domain, x = wl.TextHaar().of(BEGINS), draw(2, 3, len(BEGINS))
    c, rows = domain.analysis(x), contrasts(BEGINS)
    assert rows.shape == (len(BEGINS), len(BEGINS))
    assert torch.allclose(rows @ rows.T, torch.eye(len(BEGINS), dtype=torch.float64))
    assert torch.allclose(c.data, x @ rows.T)
    assert torch.allclose(c.synthesis(), x)
    g = draw(2, 3, len(BEGINS))
    assert torch.allclose(domain.adjoint(g, c.layout).data, domain.analysis(g).data)


def test_scales_are_called_by_what_they_tell_apart():
    domain = wl.TextHaar().of(BEGINS)
    layout = domain.layout((len(BEGINS),))
    sizes = {name: scale[0].size for name, scale in layout.scales().items()}
    assert sizes == {"document": 1, "paragraphs": 1, "sentences": 1, "phrases": 2, "words": 5, "pieces": 3}
    by_sentence = torch.tensor([[[5.0] * 5 + [1.0] * 5 + [2.0] * 3]])
    held = wl.maps.profile(domain.analysis(by_sentence)).share[0]
    assert (held[:3] > 0.05).all()
    assert held[3:].abs().max() < 1e-6
    assert list(wl.TextHaar().layout((3,)).scales()) == ["document", "words"]
    assert list(wl.TextHaar().of([4]).layout((1,)).scales()) == ["document"]


def test_maps_keep_each_scales_sum_and_lie_on_its_words():
    domain, x = wl.TextHaar().of(BEGINS), draw(1, 2, len(BEGINS))
    c = domain.analysis(x)
    sums = wl.maps.profile(c).signed[0]
    maps = torch.stack([heat.sum() for heat in wl.maps.scale_maps(c, signed=True).values()])
    assert torch.allclose(sums, maps)
    pieces = wl.maps.scale_maps(c)["pieces"][0]
    assert pieces.nonzero().flatten().tolist() == [1, 2, 6, 7, 8]


def test_special_tokens_keep_coefficients_of_their_own():
    """The text between them has the coefficients that it has alone, and maps lie where its tokens are."""
    domain, x = wl.TextHaar().of((-1, *BEGINS, -1, -1)), draw(2, 3, len(BEGINS) + 3)
    c, alone = domain.analysis(x), wl.TextHaar().of(BEGINS).analysis(x[..., 1:-2])
    assert list(c.layout.scales())[-1] == "special"
    assert torch.allclose(c.data, torch.cat([alone.data, x[..., :1], x[..., -2:]], -1))
    assert torch.allclose(c.synthesis(), x)
    g = draw(2, 3, len(BEGINS) + 3)
    assert torch.allclose(domain.adjoint(g, c.layout).data, domain.analysis(g).data)
    maps = wl.maps.scale_maps(c, signed=True)
    assert torch.allclose(maps["special"], (x * x.new_tensor([1] + [0] * len(BEGINS) + [1, 1])).sum(1))
    within = wl.maps.scale_maps(alone, signed=True)
    assert all(torch.allclose(maps[name][:, 1:-2], heat) for name, heat in within.items())
    assert all(not maps[name][:, [0, -2, -1]].any() for name in within)


def test_an_attribution_by_words_is_saved_and_loaded(tmp_path):
    x, net = draw(1, 2, len(BEGINS)).float(), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(26, 2)).eval()
    a = wl.attribute(net, x, 1, domain=wl.TextHaar().of(BEGINS), method=wl.IntegratedGradients(steps=4))
    assert abs(float(a.gap)) < 1e-5
    a.save(tmp_path / "a.safetensors")
    back = wl.Attribution.load(tmp_path / "a.safetensors")
    assert torch.equal(back.data, a.data)
    assert list(back.layout.scales()) == list(a.layout.scales())
    assert wl.parse(repr(wl.TextHaar())) == wl.TextHaar()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: wl.TextHaar().of([4, 5]), r"a number from -1 to 4; got \[4, 5\]"),
        (lambda: wl.TextHaar().of([4, -1, 1]), r"stand in front of and behind a text .*; got \[4, -1, 1\]"),
        (lambda: wl.TextHaar().of([-1, -1]), r"of one token or more; got \[-1, -1\]"),
        (lambda: wl.TextHaar().of([]), "says what begins at each token"),
        (lambda: wl.TextHaar().of([4, 1]).analysis(draw(1, 1, 3)), "is bound to signals of 2 samples; got axes"),
        (lambda: wl.TextHaar().analysis(draw(1, 1, 3, 3)), "one axis, the tokens"),
    ],
)
def test_what_is_no_text_is_told(make, said):
    with pytest.raises(ValueError, match=said):
        make()
