"""A signal and its words in one account: words, scales and words, and a map for each word."""

import itertools

import pytest
import torch

import wavelens as wl
from cases import relative
from wavelens.methods.partitions import Partition
from wavelens.pairs import both_sides, by_scale, pair_accounts, word_maps, words_by_scale
from wavelens.pairs.account import Scored
from wavelens.pairs.text import text_signal
from wavelens.signals import packed, packed_baseline
from word_pairs import Bilinear, Smooth, meeting

TEXTS = ["a dog on grass", "red bus"]
DOMAIN = wl.DWT("haar", levels=2)
FINE = wl.IntegratedGradients(steps=40)


def pictures(batch=2):
    return torch.rand(batch, 3, 16, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def scored(pair, x, text):
    signal = text_signal(pair, [text])
    return [float(pair.score(*one, signal.mask).detach()) for one in ((x, signal.embeddings), (x * 0, signal.start))]


def test_signal_and_words_add_up_to_the_rise():
    pair, x = Smooth(), pictures()
    for item, one in enumerate(pair_accounts(pair, x, TEXTS, domain=DOMAIN, method=FINE)):
        score, start = scored(pair, x[item : item + 1], TEXTS[item])
        assert abs(one.score - score) < 1e-10
        assert abs(one.baseline_score - start) < 1e-10
        signal = one.attributions[0]["signal"].data.sum()
        assert abs(float(signal + one.values.sum()) + one.gap - (score - start)) < 1e-10
        assert abs(one.gap) < 1e-6
        assert min(abs(float(signal)), float(one.values.abs().max())) > 1e-2  # each side has its share


def test_a_word_is_the_sum_of_its_tokens_and_other_tokens_have_nothing():
    pair = Smooth()
    (one,) = pair_accounts(pair, pictures(1), TEXTS[:1], domain=DOMAIN, method=FINE)
    tokens, words = one.attributions[0]["text"].data[0].sum(0), pair.tokenize(TEXTS[:1]).words[0]
    assert one.words == ("a", "dog", "on", "grass")
    assert [word.stop - word.start for word in words] == [1, 1, 1, 2]
    assert relative(one.values, torch.stack([tokens[word.start : word.stop].sum() for word in words])) < 1e-12
    assert tokens[[0, -1]].abs().max() == 0  # [CLS] and [SEP] are there from the beginning
    assert abs(float(tokens.sum() - one.values.sum())) < 1e-12


def test_a_pair_of_signal_and_text_alone_is_that_in_a_batch_and_in_any_chunk():
    pair, x = Smooth(), pictures()
    together = pair_accounts(pair, x, TEXTS, domain=DOMAIN, method=FINE)
    small = pair_accounts(pair, x, TEXTS, domain=DOMAIN, method=FINE, batch_size=3)
    for item, one in enumerate(together):
        (alone,) = pair_accounts(pair, x[item : item + 1], [TEXTS[item]], domain=DOMAIN, method=FINE)
        assert one.words == alone.words == small[item].words
        for other in (alone, small[item]):  # alone the text has no padding
            assert relative(other.values, one.values) < 1e-9
            assert relative(other.attributions[0]["signal"].data, one.attributions[0]["signal"].data) < 1e-9


@pytest.mark.usefixtures("no_looks")
def test_a_signal_that_all_paths_begin_at_is_read_once(monkeypatch):
    pair, read = Smooth(), []
    monkeypatch.setattr(Smooth, "embed_signal", seen(read, Smooth.embed_signal))
    accounts = pair_accounts(pair, pictures(), TEXTS, domain=DOMAIN, method=FINE, baseline=0.25, batch_size=2)
    assert [len(x) for x in read if torch.equal(x, torch.full_like(x, 0.25))] == [1]
    (start,) = [x for x in read if torch.equal(x, torch.full_like(x, 0.25))]
    for item, one in enumerate(accounts):
        text = text_signal(pair, TEXTS[item : item + 1])
        assert abs(one.baseline_score - float(pair.score(start, text.start, text.mask).detach())) < 1e-10


def seen(into, method):
    """The method of a class, its argument put into a list at each call."""
    return lambda self, x: into.append(x.detach()) or method(self, x)


def test_several_domains_are_read_from_the_same_gradients():
    pair, x = Smooth(), pictures(1)
    (both,) = pair_accounts(pair, x, TEXTS[:1], domain=[DOMAIN, wl.Identity()], method=FINE)
    for domain, a in zip((DOMAIN, wl.Identity()), both.attributions, strict=True):
        (alone,) = pair_accounts(pair, x, TEXTS[:1], domain=domain, method=FINE)
        assert relative(a["signal"].data, alone.attributions[0]["signal"].data) < 1e-12
        assert relative(both.values, alone.values) < 1e-12


def test_the_map_of_a_word_is_the_closed_form_of_a_bilinear_score():
    """Of `s ⟨A x, B Σ e⟩` pixel i and word w share `s (x − x₀)_i ⟨A_i, B Σ_w (e − e₀)⟩`, in whatever coordinates."""
    pair, x = Bilinear(), pictures(1)
    signal = text_signal(pair, TEXTS[:1])
    moved = torch.einsum("wt,ct,cd->wd", signal.members(), (signal.embeddings - signal.start)[0], pair.of_text)
    slopes = 7.0 * (pair.of_signal @ moved.T).T.reshape(-1, 3, 16, 16)
    z = DOMAIN.analysis(x - 0.25)
    found = word_maps(pair, x, TEXTS[0], domain=DOMAIN, baseline=0.25, steps=3)
    assert found.data.shape == (4, 1, 3, 256)
    assert found.targets[1] == ("word 'dog'",)
    for k, slope in enumerate(slopes):
        assert relative(found.data[k, 0], (z.data * DOMAIN.adjoint(slope[None], z.layout).data)[0]) < 1e-10


def test_maps_of_words_add_up_to_what_needs_both_sides():
    pair, x = Smooth(), pictures(1)
    signal = text_signal(pair, TEXTS[:1])
    corners = [(x, signal.embeddings), (x * 0, signal.embeddings), (x, signal.start), (x * 0, signal.start)]
    values = [float(pair.score(*corner, signal.mask).detach()) for corner in corners]
    both = values[0] - values[1] - values[2] + values[3]
    found = word_maps(pair, x, TEXTS[0], domain=DOMAIN, steps=40)
    assert abs(float(found.data.sum()) - both) < 1e-6 * abs(both)
    assert abs(both) > 0.1


def exactly(pair, x, *texts):
    """The same by `wl.shapley`, which asks for the score of each of all 2ⁿ coalitions."""
    read = dict(zip(("text", "against"), (text_signal(pair, [text]) for text in texts), strict=False))
    signals = {"signal": x} | {name: one.embeddings for name, one in read.items()}
    domains = {"signal": DOMAIN} | dict.fromkeys(read, wl.Identity())
    model, both, joint = packed(Scored(pair), signals, domains)
    start = packed_baseline(joint, signals, {name: one.start for name, one in read.items()}, 0.0)
    layout, names = joint.layout(tuple(both.shape[2:])), list(DOMAIN.layout((16, 16)).scales())
    labels = torch.full((1, layout.size), -1)
    for k, scale in enumerate(names):
        for band in layout.scales()[f"signal {scale}"]:
            labels[0, layout.slices[band]] = k
    for name, one in read.items():
        tokens = labels[0, joint.parts[name]].view(-1, one.embeddings.shape[1])
        for word in one.words[0]:
            tokens[word.start : word.stop] = len(names)
            names.append(f"{name} {word.text}")
    labels[labels < 0] = len(names)  # tokens of no word do not move
    groups, masks = Partition((*names, "nothing"), labels), [one.mask for one in read.values()]
    return wl.shapley(model, both, None, domain=joint, groups=groups, baseline=start, given=masks)


@pytest.mark.parametrize("of", [lambda pair: pair, meeting], ids=["towers", "meeting"])
def test_scales_and_words_are_the_exact_game(of):
    pair, x = Smooth(), pictures(1)
    found, known = words_by_scale(of(pair), x, TEXTS[0], domain=DOMAIN), exactly(pair, x, TEXTS[0])
    assert found.scales == ("a2", "d2", "d1")
    assert found.words == ("a", "dog", "on", "grass")
    assert relative(torch.cat([found.scale_values, found.word_values]), known.values[0, :7]) < 1e-9
    assert relative(found.interaction, known.interaction[0, :3, 3:7]) < 1e-9
    assert abs(float(known.values[0, 7])) < 1e-12
    assert found.passes == (8, 16)


def test_a_text_against_another_is_one_game_of_scales_and_the_words_of_both():
    pair, x, texts = Smooth(), pictures(1), ("red bus", "a dog")
    found = words_by_scale(pair, x, texts[0], against=texts[1], domain=DOMAIN)
    known = exactly(pair, x, *texts)
    assert found.words == ("red", "bus", "a", "dog")
    assert relative(torch.cat([found.scale_values, found.word_values]), known.values[0, :7]) < 1e-9
    assert relative(found.interaction, known.interaction[0, :3, 3:7]) < 1e-9
    assert found.passes == (8, 8)


def test_a_text_against_another_has_one_account_that_is_the_difference_of_two():
    pair, x = Smooth(), pictures(1)
    both = both_sides(pair, x, TEXTS[0], against=TEXTS[1], domain=DOMAIN, method=FINE)
    first, second = (both_sides(pair, x, text, domain=DOMAIN, method=FINE) for text in TEXTS)
    account = both.account
    assert (account.text, account.against, both.words) == (*TEXTS, first.words + second.words)
    assert abs(account.score - (scored(pair, x, TEXTS[0])[0] - scored(pair, x, TEXTS[1])[0])) < 1e-10
    total = float(both.signal.data.sum() + account.values.sum()) + account.gap
    assert abs(total - (account.score - account.baseline_score)) < 1e-10
    assert relative(both.signal.data, first.signal.data - second.signal.data) < 1e-9
    assert relative(account.values, torch.cat([first.account.values, -second.account.values])) < 1e-9
    assert relative(both.maps.data, torch.cat([first.maps.data, -second.maps.data])) < 1e-9


def test_scales_of_a_text_add_up_by_word_and_are_those_of_text_haar():
    pair, text = Smooth(), "a dog, on grass"
    (account,) = pair_accounts(pair, pictures(1), [text], domain=DOMAIN, method=FINE)
    (one,), read = account.texts, account.in_parts["text"]
    assert read.domain.geometry["begins"].tolist() == [[-1, 4, 1, 2, 1, 0, -1]]
    sums = dict(zip(read.layout.scales(), wl.maps.profile(read).signed[0].tolist(), strict=True))
    assert list(account.parts) == ["document", "phrases", "words", "pieces"] == list(sums)[:-1]
    assert all(abs(account.parts[name][0] - sums[name]) < 1e-12 for name in account.parts)
    assert abs(sum(sums.values()) - float(one.values.sum())) < 1e-9
    assert len(set(one.by_part["document"].mul(1e12).round().tolist())) == 2  # evenly over tokens; grass has two
    assert one.by_part["pieces"][:3].abs().max() == 0
    assert min(map(abs, sums.values())) == 0 < abs(sums["pieces"])


@pytest.mark.needs("shapiq")
def test_scales_and_words_are_those_of_shapiq():
    import shapiq

    pair, x, text = Smooth(), pictures(1), "red bus"
    found, signal = words_by_scale(pair, x, text, domain=DOMAIN), text_signal(pair, [text])
    c = DOMAIN.analysis(x)
    parts = [c.only(*scale).synthesis() for scale in c.layout.scales().values()]
    step, members = signal.embeddings - signal.start, signal.members()

    def game(coalitions):
        answers = []
        for row in coalitions:
            image = sum((part * float(here) for part, here in zip(parts, row[:3], strict=True)), torch.zeros_like(x))
            kept = torch.tensor(row[3:], dtype=torch.float64) @ members
            answers.append(float(pair.score(image, signal.start + kept * step, signal.mask).detach()))
        return torch.tensor(answers, dtype=torch.float64).numpy()

    computer = shapiq.ExactComputer(n_players=5, game=game)
    values, pairs = computer("SV"), computer("SII", order=2)
    ours = [*found.scale_values.tolist(), *found.word_values.tolist()]
    assert all(abs(values[(k,)] - one) < 1e-9 for k, one in enumerate(ours))
    for i, j in itertools.product(range(3), range(2)):
        assert abs(pairs[(i, 3 + j)] - float(found.interaction[i, j])) < 1e-9


def test_the_mean_over_all_orders_of_words_is_exact():
    table = torch.randn(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scales, everyone = by_scale.side(by_scale.all_coalitions(3)), by_scale.all_coalitions(3)
    known = by_scale._values(table, scales, by_scale.side(everyone))
    found = []
    for order in itertools.permutations(range(3)):
        prefixes = by_scale._prefixes(torch.tensor(order))
        columns = table[:, (prefixes @ torch.tensor([1, 2, 4])).tolist()]
        one = by_scale._values(columns, scales, by_scale._order_side(prefixes))
        assert abs(float(one[0].sum() + one[1].sum() - (table[-1, -1] - table[0, 0]))) < 1e-10  # each order adds up
        found.append(one)
    for own, mean in zip(known, (torch.stack(parts).mean(0) for parts in zip(*found, strict=True)), strict=True):
        assert relative(mean, own) < 1e-10


def test_many_words_are_sampled_and_still_add_up(monkeypatch):
    pair, x, text = Smooth(), pictures(1), "a small dog lies on green grass"
    exact = words_by_scale(pair, x, text, domain=DOMAIN)
    monkeypatch.setattr(by_scale, "MAX_TEXTS", 100)
    found = words_by_scale(pair, x, text, domain=DOMAIN)
    assert exact.standard_error is None
    assert found.passes[1] <= 100
    assert abs(float(found.scale_values.sum() + found.word_values.sum()) - (found.score - found.baseline_score)) < 1e-9
    off = (found.interaction - exact.interaction).abs()
    assert (off < 5 * found.standard_error + 1e-9).all()
    assert relative(found.word_values, exact.word_values) < 0.3


def test_both_sides_together():
    pair, x = Smooth(), pictures(1)
    both = both_sides(pair, x, TEXTS[0], domain=DOMAIN, method=FINE)
    assert both.words == both.by_scale.words == ("a", "dog", "on", "grass")
    assert both.maps.data.shape[0] == 4
    assert both.reasons == ()
    met = both_sides(meeting(pair), x, TEXTS[0], domain=DOMAIN, method=FINE, interventions=False)
    assert relative(met.account.values, both.account.values) < 1e-9
    assert (met.by_scale, met.maps) == (None, None)
    assert "pairs with a tower for each side" in met.reasons[0]


def test_the_pair_comes_back_as_it_was():
    pair, x = Smooth(), pictures(1)
    before = {name: p.detach().clone() for name, p in pair.named_parameters()}
    both_sides(pair, x, TEXTS[0], domain=DOMAIN, method=wl.IntegratedGradients(steps=3))
    assert all(p.requires_grad and p.grad is None and torch.equal(p, before[n]) for n, p in pair.named_parameters())


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda p, x: pair_accounts(p, x, TEXTS, domain=DOMAIN),
            "a text for each of 1 items|one entry for each of 1 items; got 2",
        ),
        (lambda p, x: pair_accounts(p, x, "a dog", domain=DOMAIN), "one entry for each of 1 items; got one text"),
        (
            lambda p, x: pair_accounts(p, x, ["a dog"], domain=DOMAIN, method=wl.SmoothGrad()),
            "along a path from one baseline; got SmoothGrad",
        ),
        (
            lambda p, x: pair_accounts(
                p, x, ["a dog"], domain=DOMAIN, method=wl.IntegratedGradients(baseline="shuffled")
            ),
            "along a path from one baseline",
        ),
        (lambda p, x: words_by_scale(p, pictures(2), "a dog", domain=DOMAIN), r"one signal .*; got \(2, 3, 16, 16\)"),
        (
            lambda p, x: words_by_scale(p, x, "a dog", domain=wl.Packets("haar", levels=4)),
            "up to 10 scales; .* has 16|up to 10 scales",
        ),
        (lambda p, x: word_maps(meeting(p), x, "a dog", domain=DOMAIN), "a tower for each side"),
        (lambda p, x: words_by_scale(p.train(), x, "a dog", domain=DOMAIN), "evaluation mode"),
    ],
    ids=["texts", "one text", "no path", "shuffled", "two signals", "scales", "no towers", "training"],
)
def test_what_does_not_fit(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask(Smooth(), pictures(1))


def test_one_word_has_all_its_coalitions_however_few_texts_there_may_be():
    from wavelens.pairs.by_scale import _coalitions

    assert [one.tolist() for one in _coalitions(1, 1, 0)] == [[[0], [1]]]
