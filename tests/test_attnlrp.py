"""Relevance through transformers by LXT, against the rules of AttnLRP written out, and the model left as it was."""

import sys
from contextlib import contextmanager

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import Net, relative, signal

DOMAINS = [wl.Identity(), wl.DWT("haar", levels=2), wl.DWT("db2", levels=1, mode="reflect"), wl.Fourier()]
TARGET = [1, 0]
needs_lxt = pytest.mark.needs("torchvision", "lxt.efficient")


def network():
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    net = VisionTransformer(16, 4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=3).double().eval()
    for p in net.parameters():
        p.data = torch.randn(p.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(p.numel())) / 3
    return net


def photo():
    return signal((16, 16), batch=2, channels=3)


def by_the_rules(net, x):
    """The model with constants where relevance does not go: deviations, slopes through zero, and where it attends."""

    def normalised(layer, x):
        deviation = (x.var(-1, correction=0, keepdim=True) + layer.eps).sqrt()
        return (x - x.mean(-1, keepdim=True)) / deviation.detach() * layer.weight + layer.bias

    tokens = net.conv_proj(x).flatten(2).mT
    tokens = torch.cat([net.class_token.expand(len(x), -1, -1), tokens], 1) + net.encoder.pos_embedding
    for block in net.encoder.layers:
        attention = block.self_attention
        parts = nn.functional.linear(normalised(block.ln_1, tokens), attention.in_proj_weight, attention.in_proj_bias)
        q, k, v = (part.unflatten(-1, (2, -1)).transpose(1, 2) for part in parts.chunk(3, -1))
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).detach()
        tokens = tokens + attention.out_proj((weights @ v).transpose(1, 2).flatten(2))
        first, _, _, second, _ = block.mlp
        hidden = first(normalised(block.ln_2, tokens))
        tokens = tokens + second(hidden * (nn.functional.gelu(hidden) / (hidden + 1e-10)).detach())
    return net.heads(normalised(net.encoder.ln, tokens)[:, 0])


def gradient(net, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(by_the_rules(net, x)[[0, 1], TARGET].sum(), x)[0]


@needs_lxt
@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_it_is_the_coefficients_times_the_gradient_by_the_rules(domain):
    net, x = network(), photo()
    g, z = gradient(net, x), domain.analysis(x)
    pulled = domain.adjoint(g, z.layout).data
    assert relative(by_the_rules(net, x), net(x)) < 1e-9  # the rules have 1e-10 in a denominator
    bare = wl.attribute(net, x, TARGET, domain=domain, method=wl.Lxt(wl.Saliency()))
    assert relative(bare.data, pulled) < 1e-9
    relevance = wl.attribute(net, x, TARGET, domain=domain, method=wl.Lxt())
    assert relative(relevance.data, wl.core.real_product(z.data, pulled)) < 1e-9
    assert relative(relevance.score, net(x)[[0, 1], TARGET]) < 1e-12
    assert relative(bare.data, wl.attribute(net, x, TARGET, domain=domain, method=wl.Saliency()).data) > 1e-2


class OnEmbeddings(nn.Module):
    """What a language model answers after the last token; a signal is `(batch, 1, tokens, width)`."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(inputs_embeds=x[:, 0]).logits[:, -1]


def writer(name):
    import transformers

    torch.manual_seed(0)
    small = {"vocab_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2, "attn_implementation": "eager"}
    if name == "GPT2":
        config = transformers.GPT2Config(n_embd=8, n_positions=16, **small)
    else:
        kind = getattr(transformers, f"{name}TextConfig" if name == "Gemma3" else f"{name}Config")
        wide = {} if name in ("Llama", "Qwen2") else {"head_dim": 4}
        config = kind(hidden_size=8, intermediate_size=12, num_key_value_heads=1, **small, **wide)
    ending = "LMHeadModel" if name == "GPT2" else "ForCausalLM"
    return OnEmbeddings(getattr(transformers, name + ending)(config)).double().eval()


@contextmanager
def patched_for_good(module):
    """What LXT itself does, undone at the end."""
    from lxt.efficient import monkey_patch
    from lxt.efficient.models import DEFAULT_MAP

    before = {target: dict(vars(target)) for target in DEFAULT_MAP[module]}
    monkey_patch(module)
    yield
    for target, attributes in before.items():
        for name in set(vars(target)) - set(attributes):
            delattr(target, name)
        for name, value in attributes.items():
            if vars(target)[name] is not value:
                setattr(target, name, value)


@pytest.mark.needs("transformers", "lxt.efficient")
@pytest.mark.parametrize("name", ["GPT2", "Llama", "Qwen2", "Qwen3", "Gemma3"])
@pytest.mark.parametrize("domain", [wl.Identity(), wl.DWT("haar", levels=1)], ids=str)
def test_language_models_have_the_relevance_that_lxt_gives_them(name, domain):
    net, x = writer(name), signal((6, 8), batch=2)
    found = wl.attribute(net, x, [3, 4], domain=domain, method=wl.Lxt())
    plain = wl.attribute(net, x, [3, 4], domain=domain, method=wl.Saliency(times_input=True))
    with patched_for_good(sys.modules[type(net.net).__module__]):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(net(x)[[0, 1], [3, 4]].sum(), x)
    pulled = domain.adjoint(g, found.layout).data
    assert relative(found.data, domain.analysis(x.detach()).data * pulled) < 1e-12
    assert relative(found.data, plain.data) > 1e-2


@needs_lxt
def test_an_item_is_the_same_alone_and_in_any_chunk():
    net, x, method = network(), photo(), wl.Lxt(wl.SmoothGrad(samples=3, times_input=True))
    whole = wl.attribute(net, x, TARGET, domain=DOMAINS[1], method=method)
    small = wl.attribute(net, x, TARGET, domain=DOMAINS[1], method=method, batch_size=1)
    alone = wl.attribute(net, x[1:], TARGET[1], domain=DOMAINS[1], method=method)
    assert relative(small.data, whole.data) < 1e-12
    assert relative(alone.data, whole.data[1:]) < 1e-12


@needs_lxt
@pytest.mark.parametrize("fails", [False, True])
def test_every_class_comes_back_as_it_was(fails):
    classes = (nn.LayerNorm, nn.GELU, nn.MultiheadAttention)
    before = [dict(vars(cls)) for cls in classes]
    net, x = network(), photo()
    plain = wl.attribute(net, x, TARGET, domain=wl.Identity(), method=wl.Saliency()).data

    def read(output):
        if fails:
            raise RuntimeError("the target's own")
        return output[:, 0]

    if fails:
        with pytest.raises(RuntimeError, match="the target's own"):
            wl.attribute(net, x, read, domain=wl.Identity(), method=wl.Lxt())
    else:
        wl.attribute(net, x, read, domain=wl.Identity(), method=wl.Lxt())
    assert [dict(vars(cls)) for cls in classes] == before
    assert torch.equal(wl.attribute(net, x, TARGET, domain=wl.Identity(), method=wl.Saliency()).data, plain)


@needs_lxt
def test_a_model_that_is_no_transformer_says_so():
    with pytest.raises(ValueError, match=r"knows transformers of modeling_llama, .*vision_transformer; got Net\. Take"):
        wl.attribute(Net((4, 4)), signal((4, 4)), 1, domain=wl.Identity(), method=wl.Lxt())
    with pytest.raises(TypeError, match=r"model must be an nn.Module for Lxt.*; got function"):
        wl.attribute(lambda x: x.sum((1, 2, 3)), signal((4, 4)), None, domain=wl.Identity(), method=wl.Lxt())


def test_without_lxt_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lxt"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lxt", None)
    with pytest.raises(ImportError, match=r"LXT is needed .*: pip install 'lxt>=2.1,<3' 'transformers>=4.48,<5'"):
        wl.attribute(Net((4, 4)), signal((4, 4)), 1, domain=wl.Identity(), method=wl.Lxt())


def test_the_method_is_a_value():
    with pytest.raises(ValueError, match="method must be a method's value such as SmoothGrad"):
        wl.Lxt("cp")
    assert wl.Lxt(wl.IntegratedGradients(baseline=0.5)).baseline == 0.5
