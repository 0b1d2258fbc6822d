"""Letters and places in the patient, against nibabel's own."""

import numpy as np
import pytest

from wavelens import anatomy
from wavelens.grid import Grid


def grid(affine):
    spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist())
    return Grid(spacing, ("mm",) * 3, affine=tuple(tuple(map(float, row)) for row in affine))


def affines():
    """All turns of the axes, straight and tilted."""
    source = np.random.default_rng(0)
    for _ in range(40):
        turn = np.eye(3)[source.permutation(3)] * source.choice([-1, 1], 3)
        affine = np.eye(4)
        affine[:3, :3] = turn @ np.diag(source.uniform(0.5, 3, 3)) + source.normal(0, 0.1, (3, 3))
        affine[:3, 3] = source.normal(0, 50, 3)
        yield affine


@pytest.mark.needs("nibabel")
def test_axes_grow_to_the_letters_of_nibabel_and_voxels_lie_where_it_says():
    import nibabel

    for affine in affines():
        found = grid(affine)
        assert tuple(end for _, end in anatomy.letters(found)) == nibabel.aff2axcodes(affine)
        assert {frozenset(ends) for ends in anatomy.letters(found)} == {frozenset(ends) for ends in anatomy.ENDS}
        np.testing.assert_allclose(
            anatomy.place(found, (3, 1, 7)), nibabel.affines.apply_affine(affine, (3, 1, 7)), atol=1e-9
        )


def test_planes_and_their_coordinates_have_names():
    straight = np.array([[0.0, -1, 0, 10], [2, 0, 0, -5], [0, 0, 3, 1], [0, 0, 0, 1]])
    found = grid(straight)
    assert anatomy.planes(found) == ("coronal", "sagittal", "axial")
    assert anatomy.plane_text(found, 1, (0, 30, 0)) == "sagittal, L 20.0 mm"
    assert anatomy.place_text(found, (1, 30, 2)) == "L 20.0, P 3.0, S 7.0 mm"
    tilted = straight.copy()
    tilted[2, 1] = 0.2
    assert anatomy.planes(grid(tilted)) == ("coronal", "near sagittal", "axial")


def test_what_does_not_know_the_patient_has_no_letters():
    plain = Grid.plain(3)
    assert anatomy.letters(plain) == anatomy.planes(plain) == ()
    assert anatomy.place_text(plain, (1, 2, 3)) == anatomy.plane_text(plain, 0, (1, 2, 3)) == ""
    with pytest.raises(
        ValueError, match=r"affine must have the four rows of a 4 × 4 matrix, or be None; got \(\(1\.0,\),\)"
    ):
        Grid((1.0,) * 3, ("mm",) * 3, affine=((1.0,),))
