"""The statistics of benchmarks/detectors on known answers; the run itself trains for minutes."""

import numpy as np
import pytest
import torch

import wavelens as wl


@pytest.fixture
def study(scripts):
    """Imports a script of benchmarks/detectors."""
    return scripts("detectors")


@pytest.mark.needs("torchvision")
def test_drawn_shapes_lie_in_their_boxes_and_apart(study):
    shapes, random = study("shapes"), np.random.default_rng(0)
    for _ in range(20):
        picture, drawn = shapes.picture(random)
        masks = [shapes.mask_of(shapes.rows_first(box)) for _, box in drawn]
        assert all(11**2 <= int(mask.sum()) < 20**2 for mask in masks)
        assert int(torch.stack(masks).sum(0).max()) == 1
        for (kind, (left, top, right, bottom)), mask in zip(drawn, masks, strict=True):
            inside = picture[:, top:bottom, left:right]
            middle = inside[:, inside.shape[1] // 2, inside.shape[2] // 2, None, None]
            share = float((inside == middle).all(0).float().mean())
            assert share == pytest.approx((1.0, np.pi / 4, 0.5)[kind], abs=0.1), (kind, int(mask.sum()))


@pytest.mark.needs("torchvision")
def test_an_object_is_right_where_it_covers_a_drawn_one_of_its_class(study):
    shapes = study("shapes")
    boxes = torch.tensor([[10.0, 10, 20, 20], [10, 10, 20, 20], [40, 40, 50, 50]])

    class Fixed(torch.nn.Module):
        def forward(self, x):
            return [{"boxes": boxes, "labels": torch.tensor([0, 1, 0]), "scores": torch.tensor([0.9, 0.8, 0.7])}]

    loaded = wl.models.detector(Fixed().eval(), shapes.CLASSES)
    found = list(shapes.matched(loaded, torch.zeros(1, 3, 64, 64), [(0, (11, 10, 21, 20)), (2, (40, 40, 50, 50))]))
    assert [(one.label, box) for one, box in found] == [(0, ((10, 20), (11, 21))), (1, None), (0, None)]


@pytest.mark.needs("torchvision")
def test_hits_and_mass(study):
    mask = torch.tensor([[True, False], [False, False]])
    assert study("shapes").scored(torch.tensor([[3.0, 1.0], [0.0, 0.0]]), mask) == (1.0, 0.75)
    assert study("shapes").scored(torch.tensor([[1.0, 3.0], [0.0, 0.0]]), mask) == (0.0, 0.25)


def test_the_guide_has_the_tables_of_the_record(study):
    tables = study("guide_tables")
    assert all(one in tables.PAGE.read_text(encoding="utf-8") for one in tables.tables().values())
