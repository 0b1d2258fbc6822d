"""The guide's Python runs as it stands, and names what the command has."""

import re
from pathlib import Path

import torch

from wavelens.cli import main

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "datasets.md"


def test_snippets(run_page, capsys):
    names = run_page("guides/datasets.md")
    share = names["found"].read().values["share"]
    assert share.shape == (100, 4)
    torch.testing.assert_close(share.sum(1), torch.ones(100))
    assert len(list((names["found"].folder / "shards").iterdir())) == 10
    assert capsys.readouterr().out.startswith("tensor([")


def test_options_that_the_guide_names_are_the_command_s(capsys):
    main(["evaluate", "--help"])
    main(["compare", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) | {"--array", "--gpus", "--requeue"}
    known |= {"--nproc-per-node", "--no-python"}  # Slurm's, and torchrun's
    named = set(re.findall(r"--[a-z][a-z-]+", GUIDE.read_text(encoding="utf-8")))
    assert {"--shard", "--ray-address", "--retry"} <= named <= known
