"""The guide's Python runs as it stands, and what it says of its sound is so."""


def test_snippets(run_page, capsys):
    names = run_page("guides/domains.md")
    printed = capsys.readouterr().out.splitlines()
    shares = {line.split(":")[0]: line for line in printed[:4]}
    assert "250–500 Hz" in shares["DWT"]
    assert "397–500 Hz" in shares["ConstantQ"]
    assert "375–500 Hz" in shares["Packets"]
    leaks = [int(line.split("%")[0].split()[-1]) for line in printed[4:7]]
    assert leaks == sorted(leaks, reverse=True)
    assert "(45.0, -45.0): '69%'" in printed[7]
    assert printed[8] == "DualTree {(75.0,): '17%', (15.0,): '17%', (45.0,): '60%'}"
    swings = {line.split(":")[0]: int(line.split()[-1].rstrip("%")) for line in printed[9:19]}
    assert min(swings[f"DWT d{level}"] for level in range(1, 5)) > 50
    assert max(swings[f"DualTree d{level}"] for level in range(1, 5)) < 10
    assert int(printed[19].split()[1].rstrip("%")) > 90
    assert printed[20] == "62 bytes for each pixel"
    assert "semitone: A4 (420–445 Hz)" in printed
    fewer, _, _, every = next(line for line in printed if " bands of " in line).split()
    assert 2 < int(fewer) < int(every) == 64
    needed = {line.split()[0]: int(line.split()[2]) for line in printed if " needs " in line}
    assert needed["Fourier"] == 1
    assert needed["Fourier"] < needed["Cosine"] < min(needed["DWT"], needed["Identity"])
    assert wl_names(printed) == str(("image a2", "image d2", "image d1", "text a", "text d2", "text d1"))
    assert names["both"].joint.gap.abs().max() < 1e-9


def wl_names(printed):
    return next(line for line in printed if line.startswith("('image a2'"))
