"""Accounts in words: the largest contributions, and where signed sums and Shapley values disagree."""

from dataclasses import replace

import pytest
import torch

import cases
import wavelens as wl
from wavelens import accounts
from wavelens.explaining.interventions import MAX_FORWARD_PASSES, baseline_of, bounded
from wavelens.methods.octaves import joined_by_octave
from wavelens.methods.partitions import Partition, partition
from wavelens.methods.shapley import FIRST_PAIRS
from wavelens.reports import Entry, section

SHAPE = (16, 16)


def product_of_two_scales(x):
    """`a · (1 + b)` of the energies of the coarsest and of the finest scale: no path agrees with interventions."""
    z = wl.DWT("haar", levels=2).analysis(x)
    coarse, fine = (wl.masks.scale(z, name).apply(x).square().sum((1, 2, 3)) for name in ("a2", "d1"))
    return torch.stack([coarse * (1 + fine), coarse - fine], 1)


class Energy(torch.nn.Module):
    """Two equal scores, the energy of a sound."""

    def forward(self, x):
        return x.square().sum(2).repeat(1, 2)


def explained(method=None, target=0):
    x = cases.signal(SHAPE, 1)
    domain = wl.DWT("haar", levels=2)
    a = wl.attribute(product_of_two_scales, x, target, domain=domain, method=method or wl.IntegratedGradients(steps=9))
    return a, wl.shapley(product_of_two_scales, x, target, domain=domain), x


def told(a, shapley):
    return accounts.sentences(a, shapley, {name: name for name in a.layout.scales()})


def test_both_accounts_begin_at_the_same_signal():
    method = wl.BlurredPath(sigma=2.0, steps=64)
    a, _, x = explained(method)
    options = {"domain": wl.DWT("haar", levels=2), "baseline": baseline_of(method, x)}
    assert wl.shapley(product_of_two_scales, x, 0, **options).baseline_score == pytest.approx(a.baseline_score)
    assert baseline_of(wl.IntegratedGradients(baseline=0.5), x) == 0.5
    assert baseline_of(wl.Saliency(), x) is None


def test_the_first_sentence_names_the_largest_signed_sums():
    a, shapley, _ = explained()
    sums = accounts.signed_sums(a)
    assert sums == dict(zip(wl.maps.profile(a).names, wl.maps.profile(a).signed[0].tolist(), strict=True))
    first, second = sorted(sums, key=lambda name: -abs(sums[name]))[:2]
    expected = [f"{name} ({accounts.short_signed(sums[name])})" for name in (first, second)]
    assert told(a, shapley).largest == f"The largest contributions are {expected[0]} and {expected[1]}."


def test_shapley_values_and_signed_sums_are_compared_scale_by_scale():
    """Of `a + a b` integrated gradients give a third of the product to `b` (degree 2 of 6), Shapley's values a half."""
    a, shapley, _ = explained()
    sums, values = accounts.signed_sums(a), accounts.shapley_of(shapley)
    product = sums["d1"] * 2  # both are of degree two in the path, so each gets half: they agree
    assert values["d1"] == pytest.approx(product / 2, rel=1e-9)
    assert told(a, shapley).compared.startswith("Signed sums and Shapley values agree")


@pytest.mark.parametrize(
    ("path", "shapley", "found"),
    [
        ({"a": 4.0, "b": 2.0}, {"a": 3.0, "b": 3.0}, []),
        ({"a": 4.0, "b": 2.0}, {"a": 7.9, "b": 2.0}, []),  # less than half of the larger
        ({"a": 4.0, "b": 2.0}, {"a": 8.1, "b": 2.0}, [("a", False)]),
        ({"a": 4.0, "b": 2.0}, {"a": 4.0, "b": -0.01}, [("b", True)]),
        ({"a": 4.0, "b": 0.3}, {"a": 4.0, "b": -0.3}, []),  # below a tenth of the largest in both
        ({"a": 4.0, "b": 1.0}, {"a": 1.0, "b": -6.0}, [("b", True), ("a", False)]),  # the furthest apart first
        ({"a": 0.0}, {"a": 0.0}, []),
    ],
)
def test_accounts_disagree_in_sign_or_by_more_than_half(path, shapley, found):
    apart = accounts.disagreements(path, shapley)
    assert [(one.name, one.in_sign) for one in apart] == found


def test_a_difference_within_two_standard_errors_is_none():
    path, shapley = {"a": 4.0, "b": 2.0}, {"a": 1.0, "b": 2.0}
    assert accounts.disagreements(path, shapley, {"a": 1.6, "b": 0.1}) == []
    assert [one.name for one in accounts.disagreements(path, shapley, {"a": 1.4, "b": 0.1})] == ["a"]


def test_differences_that_noise_may_be_are_not_called_agreement():
    a, shapley, _ = explained()
    wide = shapley._replace(values=-shapley.values, interaction=None, standard_error=shapley.values.abs() * 2)
    assert told(a, wide).compared.startswith("Whether signed sums and Shapley values agree is uncertain")
    close = shapley._replace(interaction=None, standard_error=shapley.values.abs() * 2)
    assert told(a, close).compared.startswith("Signed sums and Shapley values agree")


def test_a_gradient_alone_is_no_account():
    a, shapley, _ = explained(wl.Saliency())
    assert told(a, shapley).largest.startswith("The score responds most to ")
    assert "of |γ|" in told(a, shapley).largest
    assert told(a, shapley).by_shapley.startswith("The largest Shapley values are ")
    assert told(a, shapley).compared == ""


def test_shapley_values_are_not_compared_with_themselves():
    a, shapley, _ = explained(wl.ScaleShapley())
    assert told(a, shapley).compared == ""
    assert told(a, shapley).by_shapley.startswith("These are Shapley values")


def test_pairs_are_named_by_their_interaction():
    a, shapley, _ = explained()
    names, table = shapley.names, shapley.interaction[0]
    i, j = divmod(int(table.argmax()), len(names))
    both, value = f"{names[min(i, j)]} and {names[max(i, j)]}", accounts.short_signed(table.max().item())
    pair = f"the strongest synergy is that of {both} ({value})"
    assert pair in told(a, shapley).pairs
    nothing = shapley._replace(interaction=torch.zeros_like(shapley.interaction))
    assert told(a, nothing).pairs == "No two scales depend on each other much."


def test_sampled_values_say_their_standard_errors():
    a, shapley, _ = explained()
    sampled = shapley._replace(interaction=None, standard_error=torch.tensor([[0.25, 0.5, 0.125]]))
    assert "sampled by 8 forward passes, with standard errors up to 0.5" in told(a, sampled).sampled
    assert told(a, sampled).pairs == ""
    steady = sampled._replace(standard_error=shapley.score.abs().sum() * torch.full((1, 3), 1e-15))
    assert "sampled by 8 forward passes, with no spread but rounding" in told(a, steady).sampled
    assert told(a, shapley).sampled == "The Shapley values are exact, by 8 forward passes."


def test_nothing_is_said_of_one_scale_and_of_no_contribution():
    x = cases.signal(SHAPE, 1)
    one = wl.attribute(product_of_two_scales, x, 0, domain=wl.Identity(), method=wl.IntegratedGradients(steps=2))
    assert told(one, None) == accounts.AccountSentences()
    a, shapley, _ = explained()
    still = replace(a, data=a.data * 0)
    nothing = shapley._replace(values=shapley.values * 0, interaction=shapley.interaction * 0)
    assert told(still, nothing).largest == "No scale contributes."
    assert told(still, nothing).by_shapley == "By Shapley value no scale contributes."


def test_what_rounding_explains_is_no_contribution():
    """The same input and baseline but for the order of sums: differences of 1e-7 of the score are not findings."""
    a, shapley, x = explained()
    score, steps = torch.tensor([5.0]), torch.tensor([[3e-7, -2e-7, 1e-7]])
    still = replace(a, data=a.data.float() * 1e-9, score=score, baseline_score=score, gap=score * 1e-7)
    pairs = torch.full_like(shapley.interaction, 2e-7).float()
    scores = {"score": score, "baseline_score": score}
    noise = shapley._replace(values=steps, alone=steps, last=steps, interaction=pairs, **scores)
    sentences = told(still, noise)
    assert sentences[:3] == ("No scale contributes.", "By Shapley value no scale contributes.", "")
    assert sentences.pairs == "No two scales depend on each other much."
    html = section(Entry(still, x, shapley=noise)).html
    assert "the same as for" in html
    assert "e-07" not in html[html.index("Scale by scale") : html.index("How it was made")].replace("−", "-")
    real = shapley._replace(values=steps + torch.tensor([[0.0, 1.0, 0.0]]), **scores)
    assert told(still, real).by_shapley == "By Shapley value it is d2 (+1)."


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([12.34, -0.5, 0.0], ["+12.3", "−0.5", "0"]),
        ([0.0123, -0.4], ["+0.01", "−0.40"]),
        ([1234.5, 1.0], ["+1234", "+1"]),
        ([0.0], ["0"]),
    ],
)
def test_numbers_of_a_table_have_the_same_decimals(values, texts):
    assert accounts.aligned(values) == texts


@pytest.mark.parametrize(
    ("value", "text"), [(3.0507, "+3.05"), (-0.12345, "−0.123"), (1536.2, "+1536"), (2e7, "+2e+07"), (0.0, "0")]
)
def test_numbers_of_a_sentence_have_three_digits(value, text):
    assert accounts.short_signed(value) == text


@pytest.mark.parametrize("scales", [2, 6, 8, 9, 12, 20, 25])
def test_the_bound_on_forward_passes_holds(scales):
    """Counted on a game of that many groups: no more passes than stated, and exact wherever that is possible."""
    x = cases.signal((scales,), 1)
    groups = Partition(tuple(map(str, range(scales))), torch.arange(scales)[None])
    options = {"domain": wl.Identity(), "groups": groups, "method": bounded(scales)}
    values = wl.shapley(lambda x: x.sum((1, 2)) ** 3, x, None, **options)
    assert int(values.passes) <= MAX_FORWARD_PASSES
    assert (values.standard_error is None) == (2**scales <= MAX_FORWARD_PASSES)
    if values.standard_error is not None and float(values.standard_error.max()) > 0.02 * float(values.score):
        assert int(values.passes) > MAX_FORWARD_PASSES - 2 * (scales - 1)  # no further pair fits


def test_scales_for_which_few_samples_are_too_many_are_left_out():
    first = next(n for n in range(2, 100) if bounded(n) is None)
    assert 2 + 2 * first + 2 * FIRST_PAIRS * (first - 1) > MAX_FORWARD_PASSES
    assert 2 * first + 2 * FIRST_PAIRS * (first - 2) <= MAX_FORWARD_PASSES


def test_scales_that_are_too_many_are_accounted_for_by_octave(tmp_path):
    """A tone lies in one octave of four, and a domain of 49 scales has the values of five groups."""
    wl.frontends.write_audio(tmp_path / "tone.wav", torch.sin(torch.arange(512) / 3)[None, None], rate=8000)
    domain = wl.ConstantQ(per_octave=12, octaves=4)
    model = Energy().eval()
    explanation = wl.explain(tmp_path / "tone.wav", model, domain=domain, target=0)
    a, rows = explanation.attribution, explanation.by_octave
    expected = wl.shapley(model, explanation.input.x, 0, domain=domain, groups="octaves")
    assert [row["scale"] for row in rows] == ["a4", "d4", "d3", "d2", "d1"] == list(expected.names)
    torch.testing.assert_close(torch.tensor([row["shapley"] for row in rows]), expected.values[0])
    first, *rest = wl.maps.profile(a).signed[0].tolist()
    by_octave = [first, *(sum(rest[k : k + 12]) for k in range(0, 48, 12))]
    assert [row["signed"] for row in rows] == pytest.approx(by_octave)
    assert rows[1]["shapley"] > 0.9 * float(a.score)
    assert explanation.sentences().largest.startswith("The largest contributions are d4 · 250–500 Hz")
    assert len(explanation.profile) == 49
    assert "shapley" not in explanation.profile[0]
    assert explanation.summary["by_octave"] == rows
    html = section(explanation.entry()).html
    assert html.count(">Shapley value<") == 1
    with pytest.raises(ValueError, match="one for each scale, a2, d2, d1, or for each octave; got a4, d4"):
        accounts.grouped_alike(explained()[0], expected)


@pytest.mark.parametrize("domain", [wl.DWT("haar", levels=3), wl.Packets("haar", levels=1), wl.Identity()])
def test_octaves_that_a_domain_does_not_cut_finer_are_its_scales(domain):
    layout = domain.layout((64,))
    assert joined_by_octave(layout) is None
    assert torch.equal(partition(layout, 1, "octaves").labels, partition(layout, 1, "scales").labels)


def test_a_report_shows_both_accounts_and_the_pairs():
    a, shapley, x = explained()
    html = section(Entry(a, x, shapley=shapley)).html
    for value in accounts.without_rounding(shapley).values[0].tolist():
        assert f"{value:+.4g}".replace("-", "−") in html
    for text in told(a, shapley):
        assert text.replace("x₀", "x₀") in html or text in (told(a, shapley).largest, told(a, shapley).by_shapley)
    assert html.count('class="pair ') == 6
    assert html.index("The largest contributions are") < html.index("The score of")


def test_a_report_of_sampled_values_has_no_pairs():
    a, shapley, x = explained()
    sampled = shapley._replace(interaction=None, standard_error=torch.tensor([[0.25, 0.5, 0.125]]))
    html = section(Entry(a, x, shapley=sampled)).html
    assert "What happens when scales come and go" in html
    assert "± 0.25" in html
    assert 'class="matrix"' not in html
    assert 'class="matrix"' in section(Entry(a, x, shapley=shapley)).html


def test_an_entry_without_shapley_values_is_as_before():
    a, _, x = explained()
    html = section(Entry(a, x)).html
    assert "Shapley" not in html
    assert "come and go" not in html
    assert "26 scales" in section(Entry(a, x, no_shapley="There are 26 scales.")).html


def test_shapley_values_of_an_entry_are_those_of_its_scales():
    a, shapley, x = explained()
    with pytest.raises(ValueError, match="for each scale of one item, a2, d2, d1, or for each octave; got"):
        Entry(a, x, shapley=shapley._replace(names=("a2", "d2", "d3")))
    with pytest.raises(ValueError, match="shapley must have one value for each scale"):
        Entry(a, x, shapley=shapley._replace(values=shapley.values.expand(2, -1)))


def test_equal_accounts_are_not_told_twice():
    """Of a score that is linear in the scales the path's account and the Shapley values are the same."""
    x = cases.signal(SHAPE, 1)
    domain = wl.DWT("haar", levels=2)
    weights = torch.rand(x[0].numel(), generator=torch.Generator().manual_seed(3), dtype=x.dtype)
    linear = lambda x: (x.flatten(1) * weights).sum(1)  # noqa: E731
    a = wl.attribute(linear, x, None, domain=domain, method=wl.IntegratedGradients(steps=2))
    shapley = wl.shapley(linear, x, None, domain=domain)
    assert told(a, shapley).by_shapley == "The Shapley values of these scales are the same."


def test_only_zero_is_shown_as_zero():
    assert accounts.aligned([12.0, 0.004, -0.004, 0.0]) == ["+12.0", "+0.0", "−0.0", "0"]


def test_values_that_a_method_spreads_are_not_computed_again(tmp_path, monkeypatch):
    """The command on `ScaleShapley()` asks the model no more often than the method does."""
    wl.frontends.write_audio(tmp_path / "tone.wav", torch.sin(torch.arange(64) / 5)[None, None], rate=8000)
    asked = []

    class Counted(torch.nn.Module):
        def forward(self, x):
            asked.append(len(x))
            return torch.stack([x.square().sum((1, 2)), x.abs().sum((1, 2))], 1)

    model, options = Counted().eval(), {"domain": wl.DWT("haar", levels=3), "target": 0}
    rows = {}
    for kept in (True, None, False):
        asked.clear()
        method = wl.ScaleShapley()
        explanation = wl.explain(tmp_path / "tone.wav", model, method=method, interventions=kept, **options)
        rows[kept] = sum(asked)
        assert explanation.attribution.method == repr(method)
        if kept is not False:
            torch.testing.assert_close(
                explanation.shapley.values[0].double(), wl.maps.profile(explanation.attribution).signed[0].double()
            )
            assert explanation.shapley.interaction is not None
    assert rows[True] == rows[None] == rows[False]
