"""What is printed: names, labels and units of any origin are shown as they are, in one line, and never obeyed."""

import io
import logging

import pytest
from rich.table import Table
from rich.text import Text

from tasks import Spectrum
from wavelens import runs
from wavelens.cli import main
from wavelens.cli.entry import HUB_REQUESTS, RetryNote
from wavelens.cli.terminal import Terminal, complain

HOSTILE = "[bold]x[/bold] \x1b[2J\x1b]0;title :smile: [/nothing] \u202egnp"
SHOWN = "[bold]x[/bold] �[2J�]0;title :smile: [/nothing] �gnp"


@pytest.fixture
def terminal(monkeypatch):
    """A terminal with colours, where escapes would be obeyed."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    found = Terminal()
    found.file, found.width = io.StringIO(), 200
    return found


@pytest.mark.parametrize("what", [HOSTILE, Text(HOSTILE), Text(HOSTILE, style="bold")], ids=["str", "Text", "bold"])
def test_a_text_of_any_origin_is_shown_and_not_obeyed(terminal, what):
    terminal.print(what, soft_wrap=True)
    assert SHOWN in terminal.file.getvalue()


def test_a_cell_of_a_table_is_shown_and_not_obeyed(terminal):
    table = Table("name", HOSTILE)
    table.add_row(HOSTILE, Text(HOSTILE))
    terminal.print(table)
    lines = terminal.file.getvalue().splitlines()
    assert SHOWN in lines[1]
    assert SHOWN in lines[3]
    assert "\x1b" not in lines[3]


def test_what_a_command_is_busy_with_may_have_any_name(terminal):
    with terminal.status(f"loading {HOSTILE} \x07"):
        pass
    assert "\x1b[2J" not in terminal.file.getvalue()
    assert "\x07" not in terminal.file.getvalue()


def test_lines_and_styles_stay(terminal):
    terminal.print(Text("a\nb", style="bold"))
    assert terminal.file.getvalue() == "\x1b[1ma\x1b[0m\n\x1b[1mb\x1b[0m\n"


def test_a_complaint_is_one_line_that_ends(capsys):
    complain(f"{HOSTILE}\nmore\r\n" + "x" * 10_000)
    err = capsys.readouterr().err
    assert err.startswith(f"error: {SHOWN} more xxx")
    assert err.count("\n") == 1
    assert len(err) < 1100
    assert "characters)" in err


@pytest.mark.parametrize("command", [["explain"], ["check"], ["minimal"], ["evaluate", "--out", "out"]], ids=str)
def test_a_model_whose_name_is_markup_is_one_line(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    assert main([*command, ".", "--model", "[/b]\x1b[31m"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: there is no model '[/b]")
    assert "\x1b" not in err


def test_runs_whose_names_are_markup_are_compared(tmp_path, capsys):
    folders = [tmp_path / "[bold]\x1b[31mred", tmp_path / "[nothing]"]
    for folder in folders:
        runs.run(Spectrum(), range(4), folder)
    assert main(["compare", *map(str, folders)]) == 0
    out = capsys.readouterr().out
    assert "[bold]�[31mred: Spectrum" in out
    assert "[nothing]: Spectrum" in out
    assert "\x1b" not in out


def test_a_hub_that_does_not_answer_is_told_once(capsys):
    log, note = logging.Logger(HUB_REQUESTS), RetryNote()
    log.addHandler(logging.StreamHandler(io.StringIO()))
    log.addFilter(note)
    for wait in (1, 2):
        log.warning("'timed out' thrown while requesting HEAD https://hub/config.json")
        log.warning(f"Retrying in {wait}s [Retry {wait}/5].")
    assert capsys.readouterr().err == "note: the Hugging Face Hub does not answer yet; trying again …\n"
    assert log.handlers[0].stream.getvalue() == ""
