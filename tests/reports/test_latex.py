"""Tables as LaTeX: what special characters become, what fits a line, and that pdflatex takes whole tables without a complaint."""

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.reports.latex import GAP, LINE, PAGE, SIZES, escaped, latex
from pruneexp.reports.shown import Shown
from pruneexp.reports.titles import Titles
from tests.properties import PROPERTY

DOCUMENT = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs,longtable}\n\\begin{document}\n%s\n\\end{document}\n"


def table(count: int = 3, columns: int = 3, width: int = 6, **setting: list[str]) -> Shown:
    """A table of so many rows, figures and characters; `setting` varies beside the masker."""
    rows = {**setting, "masker": [f"greedy[k={k}]" for k in range(count)], "density": ["10 %"] * count}
    rows["accuracy"] = ["77.4 ± 2.4", *["12.0*"] * (count - 1)]
    rows |= {f"{'figure' + str(k):{width}}": ["1" * width] * count for k in range(columns)}
    return Shown({}, pd.DataFrame(rows), ["best", *[""] * (count - 1)])


def made(shown: Shown, caption: str = "What it is, 3 of 3 cells", label: str = "a-table") -> str:
    return latex(shown, Titles(), caption, label)


def environments(text: str) -> list[tuple[str, str]]:
    return re.findall(r"\\(begin|end)\{(\w+)\}", text)


def check_balanced(text: str) -> None:
    """Environments, braces and columns."""
    open_: list[str] = []
    for kind, name in environments(text):
        if kind == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert open_ == []
    depth = 0
    for one in re.sub(r"\\[{}]", "", text):
        depth += (one == "{") - (one == "}")
        assert depth >= 0
    assert depth == 0
    (alignment,) = re.findall(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}", text)
    for line in text.splitlines():
        if " & " in line:
            assert len(re.findall(r"(?<!\\)&", line)) == len(alignment) - 1


# characters


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a_b", r"a\_b"), ("50 %", r"50 \%"), ("#1", r"\#1"), ("a&b", r"a\&b"), ("$x$", r"\$x\$"), ("{x}", r"\{x\}"),
        ("a\\b", r"a\textbackslash{}b"), ("~", r"\textasciitilde{}"), ("^", r"\textasciicircum{}"),
        ("recipe[lr=0.1]", "recipe{[}lr=0.1{]}"), ("77 ± 2", r"77 $\pm$ 2"), ("10*", "10$^{*}$"), ("é", "é"),
        ("λ₂ ≥ 1", r"$\lambda$U+2082 $\geq$ 1"),
        ("x < 1 > 0 | y", "x $<$ 1 $>$ 0 $|$ y"), ('say "it"', "say ''it''"),
    ],
)  # fmt: skip
def test_special_characters_are_escaped(text: str, want: str) -> None:
    assert escaped(text) == want


@PROPERTY
@given(st.text(alphabet="ab_%#&$[]{}\\^~*±<>|é", max_size=12))
def test_whatever_a_label_holds_the_table_is_balanced(label: str) -> None:
    shown = table(recipe=[label, label + "x", "y"])
    check_balanced(made(shown, caption=label))


def test_best_accuracies_are_bold_and_names_are_those_for_people() -> None:
    text = made(table())
    check_balanced(text)
    assert r"\textbf{77.4 $\pm$ 2.4}" in text
    assert text.count(r"\textbf") == 1
    assert r"Greedy {[}k=0{]} & 10 \% &" in text
    assert "mask & density & accuracy &" in text
    assert r"\caption{What it is, 3 of 3 cells.}" in text
    assert r"\label{tab:a-table}" in text


def test_networks_are_headings_over_their_rows() -> None:
    text = made(table(4, model=["vgg16", "vgg16", "resnet20", "resnet20"], precision=["float32"] * 2 + ["bf16"] * 2))
    check_balanced(text)
    headings = re.findall(r"\\multicolumn\{6\}\{l\}\{\\textit\{(.*)\}\}", text)
    assert headings == ["VGG-16, float32", "ResNet-20, bf16"]
    assert "model &" not in text


# what fits


@pytest.mark.parametrize("width", [8, 9, 11, 14])
def test_the_type_is_the_largest_at_which_the_columns_fit_and_the_last_are_left_out(width: int) -> None:
    sizes, names = [], list(SIZES)

    def fits(count: int, size: int) -> bool:
        widths = [12, 7, 10.6, *[width] * 16][:count]  # "Greedy [k=0]", "density", "77.4 ± 2.4" with a wide sign
        return sum(widths) * SIZES[names[size]] + 2 * GAP * count <= LINE

    for columns in range(1, 16):
        text = made(table(columns=columns, width=width))
        check_balanced(text)
        (size,) = (k for k, size in enumerate(names) if rf"\{size}" in text)
        (alignment,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
        kept = len(alignment) - 3
        assert fits(kept + 3, size)
        assert kept == columns or not fits(kept + 4, len(names) - 1)
        assert size == 0 or not fits(kept + 3, size - 1)
        told = re.search(r"Not shown: (.*)\.\}", text)
        left = [name.strip() for name in told.group(1).split(", ")] if told else []
        assert left == [f"figure{k}" for k in range(kept, columns)]
        sizes.append(size)
    assert sizes[0] == 0
    assert max(sizes) > 0


def test_what_a_row_is_of_and_its_accuracy_are_never_left_out() -> None:
    long = ["x" * 80 + str(k) for k in range(3)]
    text = made(table(options=long, columns=4))
    assert "options & mask & density" in text
    assert "Not shown: figure0, figure1, figure2, figure3." in text


@pytest.mark.parametrize(("count", "kind"), [(PAGE, "table"), (PAGE + 1, "longtable")])
def test_a_long_table_goes_on_over_pages(count: int, kind: str) -> None:
    text = made(table(count))
    check_balanced(text)
    assert ("begin", kind) in environments(text)
    assert text.count(r"\caption{") == text.count(r"\label{") == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_pdflatex_takes_tables_of_every_shape_without_a_complaint(tmp_path: Path) -> None:
    special = ["a_b[c=50%,d={x}]", '#$&^~\\ <b> | "c"', "é Erdős λ₂ ≥ 中"]
    tables = [
        table(), table(columns=6), table(columns=15, width=9), table(PAGE + 20, columns=8), table(60, columns=15, width=9),
        table(recipe=special), table(options=special, columns=5), table(4, model=["vgg16"] * 2 + ["resnet20"] * 2, columns=9),
        table(columns=2, width=40), table(recipe=["laenen_cifar[" + ",".join(f"option_{k}={k}" for k in range(12)) + "]", "a", "b"]),
    ]  # fmt: skip
    texts = [
        made(one, caption=f"{special[0]} {special[1]} {special[2]}", label=f"t{k}_{k}") for k, one in enumerate(tables)
    ]
    (tmp_path / "all.tex").write_text(DOCUMENT % "\n\n".join(texts))
    for _ in range(2):  # longtable measures first
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "all.tex"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=120,
        )
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert [line for line in log.splitlines() if line.startswith(("!", r"Overfull \hbox"))] == []
    assert done.returncode == 0
    assert "multiply defined" not in log
