"""What pruneexp does with the networks that people bring: architectures of torchvision and timm, each asked the same questions.

    python -m pruneexp.studies.zoo [--report-dir results] [--seconds 90] [--gigabytes 8] [resnet18 ...]

Prints a table; of all architectures also writes tables/zoo.{csv,json} and the page zoo.md in docs/ beside the report's folder; `LEGEND`
says what stands in it. Every entry is computed in a process of one thread, which is killed when its time is over, and kept below
zoo/ in the report's folder: the same command goes on where an earlier one with the same code was stopped, and two with other
architectures can run side by side. The exit code is 1 where an entry ended raw, in neither an answer nor a refusal.
"""

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from rich.progress import track

from pruneexp.errors import UserError, unknown
from pruneexp.records.provenance import code_digest
from pruneexp.studies import report
from pruneexp.studies.architectures.entries import RAW, REFUSED, TOO_LARGE, YES, Entry, Limits, entries_of
from pruneexp.studies.architectures.listed import LISTED, Architecture
from pruneexp.studies.architectures.questions import QUESTIONS
from pruneexp.system.console import console

TITLE = "# Networks of torchvision and timm\n\n<!-- no results: what the study has found, and its settings -->"
LEGEND = """
Random weights, ten classes, images of so many `pixels`; `parameters` in millions; `s` are the seconds of all questions on one core.
`no` is a refusal, with the number of its sentence below; `too large` takes more than {seconds:g} s or {gigabytes:g} GB of memory. What
is asked: `count`: of the highest magnitudes of the network just 10 % of all weights of linear, convolutional and attention layers are
kept, and as many are not zero once the masks are applied. `sparsify`, `sparsify_global`: magnitudes by effective resistances at 10 %, in
each layer and in the graph of all channels. `synflow`: SynFlow in three rounds to 10 %. `structured`: half the neurons, by their L2 norm,
are removed, and the smaller network gives the outputs of the masked one. `topology`: metrics of the multipartite graph at 5 %, without
spectra and motifs. `to_torch_prune`: masks at 10 % hold through two steps of SGD with momentum and weight decay, and are read back the
same. `export`: the masked network, written by torch.export and read again, gives the same outputs.
"""


def zoo(architectures: Sequence[Architecture], folder: Path, limits: Limits) -> pd.DataFrame:
    """A row for each architecture and question.

    Columns: architecture, library, pixels, parameters, question, answer (yes, refused, too large or raw), sentence (why), seconds.

    Args:
        architectures: to be asked.
        folder: where entries are kept.
        limits: of each entry.

    Raises:
        UserError: a library that has one of them is not installed.
    """
    for library in {architecture.library for architecture in architectures}:
        if importlib.util.find_spec(library) is None:
            raise UserError(f"{library} is not installed: pip install 'pruneexp[test]'.")
    rows = []
    for architecture in track(architectures, "architectures", console=console()):
        for entry in entries_of(architecture, folder / f"{architecture.name}.jsonl", limits):
            print(f"{entry.architecture}, {entry.question}: {entry.answer} {entry.sentence}".strip(), flush=True)
            rows.append(row_of(architecture, entry))
    order = list(QUESTIONS)
    rows.sort(key=lambda row: order.index(str(row["question"])))
    table = pd.DataFrame(rows)
    first = {architecture.name: place for place, architecture in enumerate(architectures)}
    return table.sort_values("architecture", key=lambda names: names.map(first), kind="stable", ignore_index=True)


def row_of(architecture: Architecture, entry: Entry) -> dict[str, object]:
    """An entry, with what is known of its architecture."""
    about = {"architecture": entry.architecture, "library": architecture.library, "pixels": architecture.pixels}
    return about | {"parameters": entry.parameters} | asdict(entry)


def readable(table: pd.DataFrame, limits: Limits) -> str:
    """An architecture a row, a question a column; the sentences below, each once."""
    numbers = {sentence: place + 1 for place, sentence in enumerate(dict.fromkeys(told(table)))}

    def word(row: pd.Series) -> str:
        number = numbers.get(row["sentence"], "")
        return {YES: YES, TOO_LARGE: TOO_LARGE, REFUSED: f"no {number}", RAW: f"RAW {number}"}[row["answer"]]

    groups = table.groupby("architecture", sort=False)
    words = table.assign(word=table.apply(word, axis=1)).pivot(index="architecture", columns="question", values="word")
    words = words.loc[list(groups.groups)]
    shown = pd.DataFrame(
        {
            "library": groups["library"].first(),
            "pixels": groups["pixels"].first().astype(str),
            "parameters": (groups["parameters"].max() / 1e6).map("{:.1f}".format),
            **{question: words[question] for question in QUESTIONS},
            "s": groups["seconds"].sum().map("{:.0f}".format),
        }
    ).reset_index()
    said = (table["answer"] == YES).groupby(table["question"]).sum()
    total = {"architecture": f"yes, of {len(shown)}"} | {name: str(said[name]) for name in QUESTIONS}
    shown = pd.concat([shown, pd.DataFrame([total])]).fillna("")
    sentences = "\n".join(f"{number}. {sentence}" for sentence, number in numbers.items())
    legend = LEGEND.format(seconds=limits.seconds, gigabytes=limits.memory / 1e9).strip()
    grid = shown.to_markdown(index=False, disable_numparse=True)
    return "\n\n".join(part for part in (TITLE, legend, grid, sentences) if part)


def told(table: pd.DataFrame) -> list[str]:
    """The sentences of what was refused or ended raw, in the table's order."""
    return list(table["sentence"][table["answer"].isin([REFUSED, RAW])])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("architectures", nargs="*", metavar="NAME", help="of those in the table; all where left out")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="that an entry may take")
    parser.add_argument("--gigabytes", type=float, default=Limits.memory / 1e9, help="of memory, the same")
    options = parser.parse_args(arguments)
    known = {architecture.name: architecture for architecture in LISTED}
    for name in options.architectures:
        if name not in known:
            raise UserError(unknown("architecture", name, known))
    if not (options.seconds > 0 and options.gigabytes > 0):
        raise UserError("an entry needs some time and memory: --seconds and --gigabytes must be above 0.")
    limits = Limits(options.seconds, int(options.gigabytes * 1e9))
    kept = f"zoo/{code_digest()[:12]}-{options.seconds:g}s-{options.gigabytes:g}GB"
    chosen = [known[name] for name in options.architectures] or list(LISTED)
    table = zoo(chosen, report.folder(options.report_dir, kept), limits)
    text = readable(table, limits)
    if options.architectures:
        print(text)
    else:
        made = report.made_by("zoo", arguments)
        page = report.folder(options.report_dir.parent, "docs") / "zoo.md"
        report.write_table(options.report_dir, "zoo", table, text, made, page=page)
    if raw := int((table["answer"] == RAW).sum()):
        print(f"{raw} of {len(table)} entries ended raw.", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    report.run(main)
