"""A graph's certificate on the command line.

python -m pruneexp.graphs.ramanujan 5 17                            LPS graph X^{5,17}
python -m pruneexp.graphs.ramanujan array-code 13 177               B(q, l)
python -m pruneexp.graphs.ramanujan galois-array-code 16 144 32     k, l, q
python -m pruneexp.graphs.ramanujan biregular 64 576 --density 0.1  any size
"""

import argparse
import sys
from pathlib import Path

import scipy.io
import scipy.sparse as sp

from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan import RamanujanGraph, array_code, biregular, galois_array_code, lps
from pruneexp.system import files
from pruneexp.system.arguments import Parser
from pruneexp.system.ending import told_at_the_end


def main() -> None:
    arguments = sys.argv[1:]
    if arguments and arguments[0].lstrip("+-").isdigit():
        arguments = ["lps", *arguments]
    with told_at_the_end("pruneexp"):
        options = _parser().parse_args(arguments)
        if options.output and options.output.suffix not in (".mtx", ".npz"):
            raise UserError(f"a graph is written as .mtx or .npz, got {options.output}.")
        graph: RamanujanGraph = options.make(options)
        for field, value in graph.summary().items():
            print(f"{field + ':':<26}{value}")
        if options.output:
            write(graph, options.output)
            print(options.output)


def write(graph: RamanujanGraph, path: Path) -> None:
    """The biadjacency matrix as Matrix Market (.mtx) or scipy's .npz.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        with files.writing(path) as file:
            if path.suffix == ".mtx":
                scipy.io.mmwrite(file, graph.biadjacency, comment=f" {graph.name}", field="pattern")
            else:
                sp.save_npz(file, graph.biadjacency)
    except OSError as error:
        raise UserError(f"{path} could not be written ({error.strerror}): {files.remedy(error)}.") from error


def _parser() -> Parser:
    parser = Parser(
        prog="python -m pruneexp.graphs.ramanujan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(required=True, metavar="lps | array-code | galois-array-code | biregular")
    for name, numbers, make in (
        ("lps", ("p", "q"), lambda o: lps(o.p, o.q)),
        ("array-code", ("q", "l"), lambda o: array_code(o.q, o.l)),
        ("galois-array-code", ("k", "l", "q"), lambda o: galois_array_code(o.k, o.l, o.q)),
        ("biregular", ("m", "n"), lambda o: biregular(o.m, o.n, o.density, o.degree, o.seed)),
    ):
        kind = kinds.add_parser(name)
        for number in numbers:
            kind.add_argument(number, type=int)
        kind.add_argument("--output", type=Path, help="write the matrix to a .mtx or .npz file")
        kind.set_defaults(make=make)
        if name == "biregular":
            kind.add_argument("--density", type=float)
            kind.add_argument("--degree", type=int)
            kind.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
