"""Names of any origin in tables: no spreadsheet computes them, no page obeys them, and all of them are shown."""

import csv
import io

import pytest

from wavelens.runs.statistics.cells import comma_separated_lines, latex_text, markdown_row, markdown_text

FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://evil.example","x")',
    "+1",
    "-2+3",
    "−1",
    "@SUM(A1)",
    "＝1+1",
    *(f"{sign}1" for sign in "﹦﹢﹣﹫⁼₌⁺₊⁻₋＋－＠"),  # small, raised, lowered and wide
    "\u3164=1",
    "\ufe0f=1",
    "\u034f@x",
    "  =1+1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\ufeff=1+1",
    "\u200b=1+1",
    "\0=1+1",
]
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b",
    "[click](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "[a]: http://evil.example",
    "<http://evil.example>",
    "http://evil.example/run",
    "www.evil.example",
    "WWW.evil.example",
    "someone@evil.example",
    "`code`",
    "``",
    "*bold* _slanted_ **both** __both__ ~~gone~~",
    "&lt;b&gt; &amp; &#60;",
    "back\\slash \\| \\",
    "$x^2$",
    "# heading",
    "- item",
    "--- | ---",
    "run_1_of_2.b",
]


@pytest.mark.parametrize("text", FORMULAS, ids=repr)
def test_a_text_that_begins_like_a_formula_is_a_text_in_csv(text):
    ((first, second),) = csv.reader(io.StringIO(comma_separated_lines([[text, "b"]]), newline=""))
    assert first.startswith("'")
    assert first.replace("'", "") == text.replace("\r", " ").replace("\n", " ")
    assert second == "b"


@pytest.mark.parametrize("text", ["a=1", "1-2", "run", "", "'x'", "a,b", 'a"b', "> 4 px"], ids=repr)
def test_other_texts_are_themselves_in_csv(text):
    assert list(csv.reader(io.StringIO(comma_separated_lines([[text, 1]]), newline=""))) == [[text, "1"]]


def test_numbers_stay_numbers_in_csv():
    assert comma_separated_lines([[-1.5, 0.1 + 0.2, 12, float("-inf"), 1e-300]]) == (
        "-1.5,0.30000000000000004,12,-inf,1e-300\n"
    )


def rendered(text):
    """The tokens of the first cell of a row, as a reader with tables, strikethrough and bare links sees them."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    table = markdown_row(["a", "b"]) + markdown_row(["---"] * 2) + markdown_row([text, "end"])
    cells = [token for token in reader.parse(table) if token.type == "inline"]
    assert [cell.content for cell in cells[:2]] == ["a", "b"]
    assert [cell.content for cell in cells[3:]] == ["end"]
    return cells[2].children or []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_as_it_is_by_a_reader_of_markdown(text):
    tokens = rendered(markdown_text(text))
    assert {token.type for token in tokens} <= {"text", "text_special"}
    assert "".join(token.content for token in tokens) == text


@pytest.mark.parametrize(
    "text", ["http://evil.example", "x https://evil.example", "www.evil.example", "a@evil.example"]
)
def test_a_bare_address_is_no_link(text):
    written = markdown_text(text)
    assert "://" not in written
    assert "www." not in written
    assert "@" not in written


def test_line_ends_and_controls_do_not_leave_a_cell():
    assert comma_separated_lines([["a\r=1+1", "b\n=1", "c\u2028d"]]) == "a =1+1,b =1,c d\n"
    assert markdown_text("a\n| b\r\n\tc") == r"a \| b c"
    assert markdown_text("a\x1b[31mb\u202ec") == r"a�\[31mb�c"
    assert latex_text("a\n\\input{/etc/passwd}%") == r"a \textbackslash{}input\{/etc/passwd\}\%"
    assert latex_text("x\x1b") == "x�"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_no_cell_of_another_separator_is_a_formula(separator):
    text = comma_separated_lines([[f"a{separator}=1+1", f"b{separator} @SUM(A1)"]])
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row]
    assert not any(cell.lstrip().startswith(("=", "@")) for cell in cells)
    assert comma_separated_lines([["a;b"]]) == "a;b\n"
