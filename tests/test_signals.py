"""Several signals: one path, one account, and each signal in its own domain."""

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import ANEW, METHODS, METRICS, PATHS, REGIONAL, name, relative, signal, starts
from wavelens import masks, spec
from wavelens.methods import averages

BATCH, CLASSES = 3, [2, 0, 1]
DOMAINS = {"image": wl.DWT("haar", levels=2), "text": wl.Identity()}


class Pair(nn.Module):
    """A smooth network of a picture and of token embeddings, whose answers need both."""

    def __init__(self):
        super().__init__()
        source = torch.Generator().manual_seed(0)

        def weights(*shape):
            return nn.Parameter(torch.randn(*shape, generator=source, dtype=torch.float64) / shape[0] ** 0.5)

        self.image, self.text, self.head = weights(2 * 8 * 12, 8), weights(4 * 5, 8), weights(8, 3)
        self.eval()

    def forward(self, *, image, text):
        return (torch.tanh(image.flatten(1) @ self.image) * torch.cos(text.flatten(1) @ self.text)) @ self.head


def pair(batch=BATCH):
    return {"image": signal((8, 12), batch), "text": signal((5,), batch, channels=4, seed=2)}


def explained(method=None, x=None, target=CLASSES, **options):
    method = method or wl.IntegratedGradients(steps=30)
    return wl.attribute(Pair(), x or pair(), target, domain=DOMAINS, method=method, **options)


@pytest.mark.parametrize("method", PATHS, ids=name)
def test_the_account_adds_up_over_all_signals(method):
    x, a = pair(), explained(method)
    joint = wl.Joint.of(x, DOMAINS)
    begins = [Pair()(**joint.unpack(s))[range(BATCH), CLASSES] for s in starts(method, joint.pack(x), joint)]
    rise = Pair()(**x)[range(BATCH), CLASSES] - torch.stack(begins).mean(0)
    parts = {key: part.data.sum((1, 2)) for key, part in a.items()}
    assert relative(sum(parts.values()) + a.joint.gap, rise) < 1e-10
    assert all(part.abs().min() > 1e-3 for part in parts.values())  # each has its share
    assert {key: tuple(part.data.shape) for key, part in a.items()} == {"image": (3, 2, 96), "text": (3, 4, 5)}


def test_one_path_moves_all_signals_together():
    """Each part is the gradient by its signal, averaged along the joint path and pulled back by its domain."""
    x, net = pair(), Pair()
    a = explained(wl.IntegratedGradients(steps=7))
    places, weights = (torch.tensor(v, dtype=torch.float64) for v in wl.methods.paths.nodes("gauss-legendre", 7))
    sums = {key: torch.zeros_like(value) for key, value in x.items()}
    for place, weight in zip(places, weights, strict=True):
        points = {key: (place * value).requires_grad_() for key, value in x.items()}
        score = net(**points)[range(BATCH), CLASSES].sum()
        for key, g in zip(points, torch.autograd.grad(score, list(points.values())), strict=True):
            sums[key] += weight * g
    for key, domain in DOMAINS.items():
        z = domain.analysis(x[key])
        assert relative(a[key].data, z.data * domain.adjoint(sums[key], z.layout).data) < 1e-12


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_an_item_alone_is_the_item_in_a_batch_and_in_any_chunk(method):
    together, small = explained(method), explained(method, batch_size=2)
    for key in DOMAINS:
        assert relative(small[key].data, together[key].data) < 1e-10
    for item in range(BATCH):
        one = {key: value[item : item + 1] for key, value in pair().items()}
        alone = explained(method, one, CLASSES[item])
        for key in DOMAINS:
            assert relative(alone[key].data, together.item(item)[key].data) < 1e-10
            assert alone[key].target == together.item(item)[key].target


def test_noise_is_scaled_by_each_signals_own_range():
    x = pair()
    x["text"] = x["text"] * 1e-3
    packed = wl.Joint.of(x, DOMAINS)
    points = averages.noisy(packed.pack(x), 0.1, 0, tuple(packed.samples.values()))
    noise = packed.unpack(torch.stack([points(slice(None), k) for k in range(400)]) - packed.pack(x))
    for key, value in x.items():
        spans = value.flatten(1).amax(1) - value.flatten(1).amin(1)
        assert relative(noise[key].flatten(2).std((0, 2)), 0.1 * spans) < 0.05


def test_baselines_by_name():
    x = pair()
    mask = torch.randn(4, 5, dtype=torch.float64)
    a = explained(baseline={"text": mask, "image": 0.2})
    start = Pair()(image=torch.full_like(x["image"], 0.2), text=mask.expand_as(x["text"]))
    assert relative(a.joint.baseline_score, start[range(BATCH), CLASSES]) < 1e-12
    alone = explained(baseline={"text": x["text"], "image": 0.0})  # text stays: all is the picture's
    assert relative(alone["text"].data + 1, torch.ones_like(alone["text"].data)) < 1e-12
    assert (
        relative(alone["image"].data.sum((1, 2)) + alone.joint.gap, alone.joint.score - alone.joint.baseline_score)
        < 1e-10
    )


def test_sets_of_baselines_by_name():
    method = wl.ExpectedGradients(samples=5)
    text = signal((5,), 4, channels=4, seed=9)
    both = explained(method, baseline={"text": text, "image": 0.3})
    picture = torch.full((4, 2, 8, 12), 0.3, dtype=torch.float64)
    assert relative(explained(method, baseline={"text": text, "image": picture}).joint.data, both.joint.data) < 1e-13
    assert not torch.equal(explained(method).joint.data, both.joint.data)


def test_several_targets_and_contrasts():
    targets = wl.targets.Several(1, wl.targets.Contrast(CLASSES, 1))
    a = explained(target=targets)
    assert a["text"].data.shape == (2, 3, 4, 5)
    assert relative(a["image"].data[0], explained(target=1)["image"].data) < 1e-12


def test_the_profile_has_scales_and_signals_side_by_side():
    a = explained()
    profile = wl.maps.profile(a.joint)
    assert profile.names == ("image a2", "image d2", "image d1", "text x")
    for key, part in a.items():
        own = wl.maps.profile(part)
        columns = [k for k, one in enumerate(profile.names) if one.startswith(key)]
        assert relative(profile.signed[:, columns], own.signed) < 1e-12
    assert relative(profile.signed.sum(1) + a.joint.gap, a.joint.score - a.joint.baseline_score) < 1e-10


def test_saved_and_read_back(tmp_path):
    a = explained()
    a.save(tmp_path / "pair.safetensors")
    back = wl.Attributions.load(tmp_path / "pair.safetensors")
    assert wl.parse(repr(a.joint.domain)) == a.joint.domain == back.joint.domain
    for key in DOMAINS:
        assert torch.equal(back[key].data, a[key].data)
        assert back[key].layout == a[key].layout
    assert torch.equal(back.joint.gap, a.joint.gap)
    assert a.joint.provenance["model"] == "Pair"


def test_item_dependent_and_complex_domains_take_part(tmp_path, monkeypatch):
    from test_bound import Ranked

    monkeypatch.setitem(spec.NAMES, "Ranked", Ranked)
    domains = {"image": wl.Fourier(), "text": Ranked(levels=1)}
    x = {"image": pair()["image"], "text": signal((6,), channels=4)}
    net = lambda *, image, text: torch.stack([image.sum((1, 2, 3)) * text.square().sum((1, 2)), text.sum((1, 2))], 1)  # noqa: E731
    a = wl.attribute(net, x, 0, domain=domains, method=wl.IntegratedGradients(steps=4))
    assert relative(a.joint.data.sum((1, 2)), a.joint.score) < 1e-12
    alone = wl.attribute(
        net, {k: v[1:2] for k, v in x.items()}, 0, domain=domains, method=wl.IntegratedGradients(steps=4)
    )
    for key in domains:
        assert relative(alone[key].data, a.item(1)[key].data) < 1e-12
    a.save(tmp_path / "both.safetensors")
    back = wl.Attributions.load(tmp_path / "both.safetensors", also=[Ranked])
    assert back.joint.layout == a.joint.layout
    assert relative(back["text"].synthesis(), a["text"].synthesis()) == 0
    slopes = wl.attribute(net, x, 0, domain=domains, method=wl.Saliency())
    assert slopes["image"].data.is_complex()
    assert not slopes["text"].data.is_complex()


@pytest.mark.parametrize(
    ("x", "domain", "error", "sentence"),
    [
        ({}, {}, ValueError, "at least one signal by name; got none"),
        (
            pair(),
            {"image": wl.DWT()},
            ValueError,
            "every signal must have a domain; got signals image, text and domains image",
        ),
        (pair(), wl.DWT(), ValueError, "several signals must have a domain each, by name; got DWT"),
        ({**pair(), "text": signal((5,), 2)}, DOMAINS, ValueError, "of one batch, type and device; got image: 3 of"),
        (
            {**pair(), "text": torch.ones(3, 4, 5, dtype=torch.long)},
            DOMAINS,
            ValueError,
            "text: a signal must have floating-point numbers",
        ),
        ({"the image": pair()["image"]}, {"the image": wl.DWT()}, ValueError, "name must be what the model calls it"),
    ],
    ids=["none", "a domain less", "one domain", "batches", "whole numbers", "no name"],
)
def test_what_does_not_fit(x, domain, error, sentence):
    with pytest.raises(error, match=sentence):
        wl.attribute(Pair(), x, 0, domain=domain, method=wl.Saliency())


def test_baselines_that_do_not_fit():
    with pytest.raises(ValueError, match="one entry per signal, image, text; got words"):
        explained(baseline={"words": 0.0})
    with pytest.raises(
        ValueError, match=r"the baseline of text must be a number or broadcast to \(3, 4, 5\); got .*\(7,\)"
    ):
        explained(baseline={"text": torch.zeros(7)})


JUDGING = {key: metric for key, metric in METRICS.items() if key not in REGIONAL}


def joint_explainer(a):
    return lambda model, x, target: wl.attribute(model, x, target, domain=DOMAINS, method=wl.Saliency())


@pytest.mark.parametrize("metric", JUDGING)
def test_metrics_judge_an_item_alone_as_in_a_batch(metric, monkeypatch):
    monkeypatch.setattr("cases.explainer", joint_explainer)
    a = explained(wl.Saliency() if metric in ANEW else None)
    together = METRICS[metric](Pair(), pair(), CLASSES, a)
    assert together.shape == (BATCH,)
    for item in range(BATCH):
        one = {key: value[item : item + 1] for key, value in pair().items()}
        alone = METRICS[metric](Pair(), one, CLASSES[item], a.item(item))
        assert relative(alone, together[item : item + 1]) < 1e-9


def test_insertion_is_the_literal_one_over_all_signals():
    """Step k keeps the top k places of picture and words together, each with all its channels."""
    x, a, net = pair(), explained(), Pair()
    steps, size = 4, 2 * 96 + 4 * 5
    worth = {key: part.data.abs().mean(1, keepdim=True).expand_as(part.data) for key, part in a.items()}
    flat = torch.cat([w.transpose(1, 2).flatten(1) for w in worth.values()], 1)
    ranked = flat.sort(dim=1, descending=True, stable=True).indices
    counts, scores = [k * size // steps for k in range(steps + 1)], []
    for count in counts:
        kept = torch.zeros_like(flat).scatter_(1, ranked[:, :count], 1).split([192, 20], 1)
        points = {}
        for (key, domain), own in zip(DOMAINS.items(), kept, strict=True):
            z = domain.analysis(x[key])
            mask = own.unflatten(1, (-1, z.data.shape[1])).transpose(1, 2)
            points[key] = z.map(lambda data, mask=mask: data * mask).synthesis()
        scores.append(net(**points).softmax(1)[range(BATCH), CLASSES].detach())
    expected = torch.trapezoid(torch.stack(scores, 1), torch.tensor(counts, dtype=torch.float64) / size)
    assert relative(wl.metrics.insertion(net, x, CLASSES, a, steps=steps), expected) < 1e-10


def test_curves_start_from_each_signal_by_itself():
    x, a, net = pair(), explained(), Pair()
    blurred = {key: masks.Blur()(value) for key, value in x.items()}
    found = wl.metrics.insertion(net, x, CLASSES, a, steps=4, fill="blur")
    assert relative(found, wl.metrics.insertion(net, x, CLASSES, a, steps=4, baseline=blurred)) < 1e-12
    others = {key: value.flip(0)[:2] for key, value in x.items()}
    each = [{key: value[k] for key, value in others.items()} for k in range(2)]
    found = wl.metrics.faithfulness(net, x, CLASSES, a, steps=4, fill=others)
    expected = [wl.metrics.faithfulness(net, x, CLASSES, a, steps=4, baseline=other) for other in each]
    assert relative(found, torch.stack(expected).mean(0)) < 1e-12
    seen = []

    def model(*, image, text):
        seen.append({"image": image.clone(), "text": text.clone()})
        return net(image=image, text=text)

    for fill in ("shuffled", "mean"):
        seen.clear()
        wl.metrics.insertion(model, x, CLASSES, a, steps=1, fill=fill, samples=1)
        start = next(one for one in seen if one["text"].shape == x["text"].shape and (one["text"] != x["text"]).any())
        z, z0 = (DOMAINS["image"].analysis(one["image"]) for one in (x, start))
        for band, values in z:  # channels of a signal have their own means, and go together
            if fill == "mean":
                assert relative(z0[band], values.mean((2, 3), keepdim=True).expand_as(values)) < 1e-9
            else:
                assert relative(z0[band].flatten(2).sort(-1).values, values.flatten(2).sort(-1).values) < 1e-9
        if fill == "shuffled":
            own, moved = (one["text"].movedim(1, 2).tolist() for one in (x, start))
            assert [sorted(tokens) for tokens in own] == [sorted(tokens) for tokens in moved]


def test_parts_of_several_signals_count_places_with_all_their_channels():
    x, net = pair(), Pair()
    x["text"][0, :, 3:] = 0
    x["text"][1, :2, 3:] = 0
    a = explained(wl.IntegratedGradients(steps=2), x)
    c = wl.metrics.curves(net, x, CLASSES, a, steps=212, fractions="nonzero")
    assert [len(row.unique()) - 1 for row in c.fraction] == [204, 212, 212]
    with pytest.raises(ValueError, match="other signals must be given by name, image, text; got one tensor"):
        wl.metrics.insertion(net, x, CLASSES, a, fill=torch.zeros(1, 1, 212))
    with pytest.raises(ValueError, match="a baseline goes with fill='zero'; got one with fill='shuffled'"):
        wl.metrics.insertion(net, x, CLASSES, a, fill="shuffled", baseline={"text": 0.2})


def test_the_top_of_all_signals_and_of_each():
    a, x = explained(), pair()
    together, size = masks.top(a, 0.25), 96 + 5
    assert sum(mask.data.sum(-1)[:, 0] for mask in together.values()).eq(size // 4).all()
    least = torch.stack(
        [masks.magnitude(a[key].data).where(mask.data.bool(), torch.inf).amin((1, 2)) for key, mask in together.items()]
    ).amin(0)
    for key, mask in together.items():
        assert (masks.magnitude(a[key].data)[~mask.data.bool()] <= least.max()).all()
        assert relative(mask.apply(x[key]) + mask.complement().apply(x[key]), x[key]) < 1e-13
    each = {key: masks.top(part, 0.25) for key, part in a.items()}
    assert [int(mask.data[0].sum()) for mask in each.values()] == [24, 1]


def test_minimal_inputs_of_several_signals():
    x, net = pair(), Pair()
    found = masks.minimal(net, x, CLASSES, domain=DOMAINS, alpha=0.2, steps=10, tolerance=None, baseline={"text": 0.1})
    joint = found.mask.layout.domain
    rebuilt = joint.unpack(found.rebuilt)
    assert relative(net(**rebuilt)[range(BATCH), CLASSES].detach(), found.after) < 1e-10
    kept = joint.split(found.mask)
    for key, domain in DOMAINS.items():
        start = 0.1 if key == "text" else 0.0
        z = domain.analysis(x[key] - start)
        assert relative(start + z.map(lambda data, key=key: data * kept[key].data).synthesis(), rebuilt[key]) < 1e-12
    with pytest.raises(ValueError, match="several signals must have a domain each"):
        masks.minimal(net, x, CLASSES, domain=wl.DWT(), alpha=0.2)


def test_metrics_of_several_signals_say_what_does_not_fit():
    a = explained()
    with pytest.raises(ValueError, match="perturbed in their own domains; got domain=Identity"):
        wl.metrics.insertion(Pair(), pair(), CLASSES, a, domain=wl.Identity())
    with pytest.raises(ValueError, match="those of image, text by name; got"):
        wl.metrics.ff(Pair(), pair(), CLASSES, a["image"])
