"""Values of all kinds in every format that a report has: the text, or what cannot do harm, and a page that is well-formed."""

import csv
import html.parser
import io
import re
import shlex
import subprocess
import xml.etree.ElementTree
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from pruneexp.reports.figures.drawing import save
from pruneexp.reports.figures.names import literal
from pruneexp.reports.latex import escaped as in_latex
from pruneexp.reports.latex import latex
from pruneexp.reports.markdown import escaped, made_by, markdown, prose
from pruneexp.reports.plain import plain_csv
from pruneexp.reports.shown import Shown, shown
from pruneexp.reports.table import aggregate
from pruneexp.reports.titles import Titles
from pruneexp.system.console import console, quoted, visible
from tests.reports.made_frames import cells

ODD = {
    "newline": "two\nlines", "comment": "a --> b --!> c", "pipe": "a|b", "backslash and pipe": "a\\|b", "ampersand": "a & b",
    "entity": "&lt;b&gt;", "script": "<script>alert(1)</script>", "dollars": "$x$ and $y", "percent": "50 % off", "underscore": "a_b_c",
    "backtick": "`rm -rf`", "escape sequence": "\x1b[31mred\x1b[0m", "other escape": "\x9b31m", "direction": "a\u202eb\u2066c",
    "NUL": "a\0b", "formula": "=cmd|'/C calc'!A0", "comma": "a,b", "quotes": "a\"b'c", "hash": "# a", "link": "[a](javascript:b)",
    "markup": "[red]a[/red]", "emoji code": ":smile:", "braces": "{a}", "caret": "a^b~c", "line separator": "a\u2028b", "return": "a\rb",
    "letters": "é²→中", "carriage": "a\tb", "image": "![a](b)", "end of math": "\\)",
}  # fmt: skip


def table(text: str) -> Shown:
    rows = pd.DataFrame({"masker": [text, "greedy"], "density": ["10 %", "2 %"], "accuracy": ["1.00", "2.00"]})
    return Shown({"options": visible(text)}, rows.map(visible), ["best", ""])


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_table_keeps_its_rows_and_columns_whatever_is_in_it(text: str) -> None:
    page = markdown(table(text))
    lines = page.splitlines()
    assert len(lines) == 4
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines] == [4] * 4
    assert page.isprintable() or all(line.isprintable() for line in lines)
    assert not re.search(r"<\w|<[/!?]|\]\(", page)
    assert not re.search(r"(?<!\\)`", page)
    assert not re.search(r"<[\w/!?]", prose(text))


def test_csv_gives_every_value_back() -> None:
    content = plain_csv(aggregate(cells(masker=list(ODD.values()))))
    assert len(content.splitlines()) == 1 + len(ODD)
    assert len({len(row) for row in csv.reader(io.StringIO(content))}) == 1
    read = set(pd.read_csv(io.StringIO(content))["masker"])
    assert read == {visible(text) for text in ODD.values()}
    assert {
        text for text in ODD.values() if text.isprintable()
    } <= read  # a formula too: a table is joined by its names


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_latex_has_no_command_in_a_text(text: str) -> None:
    told = in_latex(text)
    assert told.isprintable()
    bare = re.sub(r"\\text\w+\{\}|\\[&%$#_{}]|\$(\^\{\*\}|-|[<>|]|\\\w+)\$|\{\[\}|\{\]\}", "", told)
    assert not re.search(r"[\\&%$#_^~{}]", bare), told
    page = latex(table(text), Titles(), text, text)
    rows = [line for line in page.splitlines() if line.endswith(r" \\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {2}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_the_terminal_shows_it_and_obeys_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(table(text).constant["options"], soft_wrap=True)
    assert capsys.readouterr().out == f"{visible(text)}\n"
    assert visible(text).isprintable()


def test_what_can_be_seen_is_as_it_was() -> None:
    assert visible("é²→中 a b") == "é²→中 a b"
    assert visible("a\x1b[31m\n\u202e\ud800") == "a\\x1b[31m\\n\\u202e\\ud800"
    assert escaped("laenen_cifar[epochs=1], a < b & c, 5*") == "laenen_cifar[epochs=1], a < b & c, 5*"


def test_bash_gives_every_word_back_and_a_comment_of_html_ends_where_it_should() -> None:
    words = [
        *(text for text in ODD.values() if "\0" not in text),
        "~",
        "a=~/b",
        "-",
        "",
        "{a,b}",
        "*",
        "a!b",
        "x --> y",
        "\udcff",
    ]
    line = " ".join(map(quoted, words))
    assert line.isprintable()
    comment = made_by(f"python -m pruneexp {line}")
    found = list[str]()

    class Reader(html.parser.HTMLParser):
        def handle_comment(self, data: str) -> None:
            found.append(data)

    reader = Reader()
    reader.feed(f"{comment}rest")
    reader.close()
    assert [f"<!--{one}-->\n" for one in found] == [comment]
    for told in (line, found[0].removeprefix(" made by: python -m pruneexp ").removesuffix(" ")):
        ended = subprocess.run(["bash", "-c", f"printf '%s\\0' {told}"], capture_output=True, check=True)
        assert ended.stdout.split(b"\0")[:-1] == [word.encode(errors="surrogateescape") for word in words]
    assert quoted("densities=[0.1,0.02]") == "densities=[0.1,0.02]"
    assert shlex.split(quoted("a b#c")) == ["a b#c"]


def test_figures_are_drawn_and_stay_well_formed(tmp_path: Path) -> None:
    figure = Figure(figsize=(3, 3))
    odd = [text for name, text in ODD.items() if name != "letters"]  # which the font does not have
    for k, text in enumerate(odd):
        figure.text(0.1, k / len(odd), literal(text))
    paths = save(figure, tmp_path / "odd", f"python -m pruneexp {' '.join(map(quoted, [*ODD.values(), '--> <b>']))}")
    assert [path.suffix for path in paths] == [".png", ".svg", ".pdf"]
    root = xml.etree.ElementTree.parse(paths[1]).getroot()
    assert "alert(1)" in "".join(root.itertext())


def test_a_record_with_odd_names_is_shown_in_one_line_each() -> None:
    made = cells(masker=["greedy\n|", "er\x1b[0m"], options=["a\n", "a\n"], accuracy=[60.0, 61.0])
    text = shown(aggregate(made), {})
    assert set(text.rows["masker"]) == {"greedy\\n|", "er\\x1b[0m"}
    assert text.constant["options"] == "a\\n"
