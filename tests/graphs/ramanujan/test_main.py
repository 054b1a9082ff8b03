"""The command line: a certificate on the terminal, a matrix in a file, and one sentence for every mistake."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import scipy.io
import scipy.sparse as sp

from pruneexp.graphs.ramanujan import RamanujanGraph, array_code, biregular, galois_array_code, lps
from pruneexp.graphs.ramanujan.__main__ import main, write
from tests.command import Outcome, command

Command = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``run(arguments...)``: the command in this process, in an empty folder."""

    def in_process(*arguments: str) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["pruneexp.graphs.ramanujan", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else -1
        text = capsys.readouterr()
        return Outcome(code, text.out, text.err)

    return in_process


def values(text: str) -> dict[str, str]:
    """What stands beside each name."""
    lines = [line.split(":", 1) for line in text.splitlines() if ":" in line]
    return {name: value.strip() for name, value in lines}


def printed(graph: RamanujanGraph) -> dict[str, str]:
    return {name: str(value) for name, value in graph.summary().items()}


def sentence(outcome: Outcome) -> str:
    """The one line that a mistake is reported by."""
    assert outcome.code == 2
    assert "Traceback" not in outcome.err + outcome.out
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.startswith("pruneexp: ")
    assert outcome.err.endswith(".\n")
    return outcome.err


def same(matrix: sp.csr_array, graph: RamanujanGraph) -> bool:
    return matrix.shape == graph.biadjacency.shape and (sp.csr_array(matrix) != graph.biadjacency).nnz == 0


def test_a_graph_is_printed_and_written_by_the_module_itself(tmp_path: Path) -> None:
    outcome = command(tmp_path, "5", "13", "--output", "x.mtx", interpreter=("-m", "pruneexp.graphs.ramanujan"))
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    graph = lps(5, 13)
    assert outcome.out.splitlines()[-1] == "x.mtx"
    got = values(outcome.out)
    assert [got[name] for name in ("graph", "rows", "columns", "edges")] == ["lps(5, 13)", "1092", "1092", "6552"]
    assert got["ramanujan"] == "True"
    assert float(got["sigma2"]) == pytest.approx(graph.sigma2, rel=1e-9)
    matrix = scipy.io.mmread(tmp_path / "x.mtx")
    assert set(matrix.data) == {1.0}
    assert same(matrix, graph)


@pytest.mark.parametrize(
    ("arguments", "make"),
    [
        ("5 7", lambda: lps(5, 7)),
        ("lps 5 7", lambda: lps(5, 7)),
        ("array-code 5 3", lambda: array_code(5, 3)),
        ("galois-array-code 3 5 4", lambda: galois_array_code(3, 5, 4)),
        ("biregular 12 20 --density 0.3", lambda: biregular(12, 20, density=0.3)),
        ("biregular 12 20 --degree 7 --seed 3", lambda: biregular(12, 20, degree=7, seed=3)),
    ],
)
def test_every_kind_prints_its_certificate(arguments: str, make: Callable[[], RamanujanGraph], run: Command) -> None:
    outcome = run(*arguments.split())
    assert (outcome.code, outcome.err) == (0, "")
    assert values(outcome.out) == printed(make())


@pytest.mark.parametrize("ending", ["mtx", "npz"])
@pytest.mark.parametrize(
    ("arguments", "make"),
    [
        ("3 5", lambda: lps(3, 5)),
        ("array-code 5 12", lambda: array_code(5, 12)),
        ("galois-array-code 4 7 4", lambda: galois_array_code(4, 7, 4)),
        ("biregular 12 20 --degree 7", lambda: biregular(12, 20, degree=7)),
        ("biregular 6 6 --density 1", lambda: biregular(6, 6, density=1.0)),
    ],
)
def test_a_file_has_the_matrix_that_was_measured(
    arguments: str, make: Callable[[], RamanujanGraph], ending: str, run: Command, tmp_path: Path
) -> None:
    path = tmp_path / f"graph.{ending}"
    outcome = run(*arguments.split(), "--output", str(path))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == str(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    matrix = scipy.io.mmread(path) if ending == "mtx" else sp.load_npz(path)
    assert same(matrix, make())


def test_a_matrix_market_file_says_which_graph_it_is(tmp_path: Path) -> None:
    write(array_code(3, 2), tmp_path / "x.mtx")
    lines = (tmp_path / "x.mtx").read_text().splitlines()
    assert lines[0] == "%%MatrixMarket matrix coordinate pattern general"
    assert lines[1] == "% array_code(3, 2)"
    assert next(line for line in lines if not line.startswith("%")) == "9 6 18"


def test_a_file_that_is_there_is_replaced(run: Command, tmp_path: Path) -> None:
    for ending in ("mtx", "npz"):
        (tmp_path / f"x.{ending}").write_text("old " * 1000)
        assert run("array-code", "3", "2", "--output", f"x.{ending}").code == 0
    assert same(scipy.io.mmread(tmp_path / "x.mtx"), array_code(3, 2))
    assert same(sp.load_npz(tmp_path / "x.npz"), array_code(3, 2))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("13 17", "p=13 is a square mod q=17 (8^2 = 13 mod 17), so the LPS graph is not bipartite"),
        ("5 15", "q must be prime for an LPS graph, got 15."),
        ("17 17", "p and q must be different primes for an LPS graph, got 17 twice."),
        ("-5 17", "p must be prime for an LPS graph, got -5."),
        ("lps 2 17", "p=2 is a square mod q=17"),
        ("array-code 8 3", "q must be prime for an array-code graph, got 8"),
        ("array-code 5 1", "l must be at least 2 for an array-code graph, got 1"),
        ("galois-array-code 9 4 8", "k must be 2 ... q = 8"),
        ("biregular 12 20", "a biregular graph needs one of density=, degree= and edges=."),
        ("biregular 12 20 --density 0.5 --degree 5", "a biregular graph needs one of density=, degree= and edges=."),
        ("biregular 12 20 --degree 21", "degree 21 is larger than the other side, which has 20 vertices."),
        (
            "biregular 12 20 --density 0.1",
            "every vertex has 2 edges or more has 40 to 240 edges (density 0.1667 or more)",
        ),
        ("biregular 12 20 --density nan", "density must be above 0 and at most 1, got nan."),
        ("biregular 23 23 --density 0.0908", "no 23 x 23 graph with 48 edges was certified as Ramanujan"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(arguments: str, expected: str, run: Command) -> None:
    outcome = run(*arguments.split())
    assert expected in sentence(outcome)
    assert outcome.out == ""


@pytest.mark.parametrize("name", ["x.txt", "x", "x.mtx.gz", ".npz"])
def test_another_ending_is_refused_and_nothing_written(name: str, run: Command, tmp_path: Path) -> None:
    outcome = run("array-code", "3", "2", "--output", name)
    assert f"a graph is written as .mtx or .npz, got {name}." in sentence(outcome)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_for_npz(run: Command) -> None:
    outcome = run("array-code", "3", "2", "--output", "no/x.npz")
    assert "no/x.npz could not be written (No such file or directory): make the folder first." in sentence(outcome)


def test_a_folder_in_the_place_of_the_file_is_told_for_npz(run: Command, tmp_path: Path) -> None:
    (tmp_path / "x.npz").mkdir()
    assert "x.npz could not be written (Is a directory): move what is in the way elsewhere." in sentence(
        run("array-code", "3", "2", "--output", "x.npz")
    )


@pytest.mark.parametrize("folder", ["no", "file", "x.mtx"])
def test_a_file_that_cannot_be_written_is_told_for_mtx(folder: str, run: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "x.mtx").mkdir()
    output = "x.mtx" if folder == "x.mtx" else f"{folder}/x.mtx"
    assert f"{output} could not be written" in sentence(run("array-code", "3", "2", "--output", output))


def test_a_negative_seed_is_one_sentence(run: Command) -> None:
    assert "seed" in sentence(run("biregular", "12", "20", "--degree", "5", "--seed", "-1"))


@pytest.mark.parametrize("arguments", ["", "5", "5 x", "5 17.5", "5 17 3", "cayley 5 17", "biregular 9 9 --density a"])
def test_what_cannot_be_read_ends_with_exit_code_two(arguments: str, run: Command) -> None:
    outcome = run(*arguments.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert "`python -m pruneexp.graphs.ramanujan" in sentence(outcome)
    assert "--help` lists what there is." in outcome.err


def test_help_names_every_kind(run: Command) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    assert all(kind in outcome.out for kind in ("lps", "array-code", "galois-array-code", "biregular"))
