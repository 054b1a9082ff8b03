"""Every question has an answer, a refusal, or an exit code that tells that there is neither."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

import pruneexp
from pruneexp.errors import UserError
from pruneexp.network.masks import Masks
from pruneexp.studies import zoo
from pruneexp.studies.architectures import entries, questions
from pruneexp.studies.architectures.entries import RAW, REFUSED, TOO_LARGE, YES, Entry, Limits, answered, entries_of
from pruneexp.studies.architectures.listed import LISTED, Architecture
from pruneexp.studies.architectures.questions import QUESTIONS
from tests.command import ROOT

FEW = ("count", "sparsify", "sparsify_global")


def brought(name: str) -> Architecture:
    return Architecture(name, "tests.studies.brought.make", 8)


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Nothing else is asked."""
    for module in (entries, zoo):
        monkeypatch.setattr(module, "QUESTIONS", {name: QUESTIONS[name] for name in names})


@pytest.mark.parametrize("name", ["chain", "residual"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_network_goes_through_every_question(name: str, question: str) -> None:
    entry = answered(brought(name), question, QUESTIONS[question])
    assert (entry.answer, entry.sentence) == (YES, "")
    assert entry.parameters == sum(parameter.numel() for parameter in brought(name).network().parameters())


def test_a_refusal_is_told_in_its_sentence() -> None:
    entry = answered(brought("refusing"), "export", questions.export)
    assert entry.answer == REFUSED
    assert entry.sentence.startswith("torch.export cannot write this network: ")


def keeps_one_too_many(*arguments: object, **more: object) -> Masks:
    masks = pruneexp.prune(*arguments, **more)  # type: ignore[arg-type]
    mask = next(iter(masks.values()))
    mask.view(-1)[int((~mask).view(-1).nonzero()[0])] = True
    return masks


def test_a_count_that_is_wrong_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "prune", keeps_one_too_many)
    entry = answered(brought("chain"), "count", questions.count)
    assert entry.answer == RAW
    assert entry.sentence.startswith("AssertionError: ")
    assert entry.sentence.endswith("were asked for")


@pytest.mark.parametrize("question", ["count", "to_torch_prune"])
def test_masks_that_do_nothing_are_a_fault(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("apply_masks", "to_torch_prune"):
        monkeypatch.setattr(questions, name, lambda model, masks: None)
    entry = answered(brought("chain"), question, QUESTIONS[question])
    assert entry.answer == RAW
    assert "weights are not zero" in entry.sentence


def test_attention_is_counted_whether_its_weights_are_one_matrix_or_three() -> None:
    sizes = [
        sum(weight.numel() for weight in questions.weights_read(nn.MultiheadAttention(8, 2, kdim=width)))
        for width in (8, 4)
    ]
    assert sizes == [4 * 64, 3 * 64 + 32]


def test_what_another_error_hid_is_still_memory() -> None:
    def asked(model: nn.Module, images: torch.Tensor) -> None:
        try:
            raise MemoryError
        except MemoryError as error:
            raise UserError("this network cannot be traced.") from error

    assert answered(brought("chain"), "count", asked).answer == TOO_LARGE


def test_limits_end_an_entry_and_a_fault_ends_in_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only(monkeypatch, *FEW)
    monkeypatch.setattr(zoo, "LISTED", [brought("moody")])
    report_dir = tmp_path / "results"
    with pytest.raises(SystemExit) as end:
        zoo.main(["--report-dir", str(report_dir), "--seconds", "1"])
    assert end.value.code == 1
    assert "1 of 3 entries ended raw." in capsys.readouterr().err
    table = pd.read_csv(report_dir / "tables" / "zoo.csv", keep_default_na=False)
    assert list(table["question"]) == list(FEW)
    assert list(table["answer"]) == [TOO_LARGE, RAW, TOO_LARGE]
    assert list(table["sentence"]) == [
        "it takes more memory than there is.", "ValueError: first line", "it takes more than 1 s."
    ]  # fmt: skip
    page = (tmp_path / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert "| too large | RAW 1 | too large |" in " ".join(page.split())
    assert "\n1. ValueError: first line\n" in page
    (kept,) = report_dir.glob("zoo/*/moody.jsonl")
    found = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert [entry["question"] for entry in found] == ["count", "sparsify_global"]  # the fault is asked about again


def test_a_process_that_dies_is_told_and_what_is_kept_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, *FEW)
    path = tmp_path / "dying.jsonl"
    kept = [Entry("dying", name, YES, seconds=1.5) for name in FEW[1:]]
    lines = "".join(json.dumps(vars(entry)) + "\n" for entry in kept)
    path.write_text(lines, encoding="utf-8")
    found = list(entries_of(brought("dying"), path, Limits()))
    assert found == [*kept, Entry("dying", "count", RAW, "the process ended with exit code 3")]
    assert path.read_text(encoding="utf-8") == lines


def test_a_process_that_waits_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "count")
    (entry,) = entries_of(brought("waiting"), tmp_path / "waiting.jsonl", Limits(seconds=0.5, patience=1))
    assert (entry.answer, entry.sentence) == (TOO_LARGE, "it takes more than 0.5 s.")


def test_the_page_has_a_row_for_each_architecture_and_each_sentence_once() -> None:
    rows = [
        zoo.row_of(
            brought(name),
            Entry(name, question, *((REFUSED, "why.") if question == "topology" else (YES, "")), 2.0, 1_234_567),
        )
        for name in ("residual", "chain")
        for question in QUESTIONS
    ]
    page = zoo.readable(pd.DataFrame(rows), Limits())
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    assert [line[0] for line in lines] == ["architecture", lines[1][0], "residual", "chain", "yes, of 2"]
    assert lines[2][1:] == ["tests", "8", "1.2", *["yes"] * 5, "no 1", "yes", "yes", "16"]
    assert lines[4][4:] == ["2"] * 5 + ["0", "2", "2", ""]
    assert page.count("why.") == 1
    assert "more than 90 s or 8 GB" in page


def test_the_page_in_the_docs_is_of_the_table_and_no_entry_is_raw() -> None:
    table = pd.read_csv(ROOT / "results" / "tables" / "zoo.csv", keep_default_na=False)
    asked = set(zip(table["architecture"], table["question"], strict=True))
    assert asked == {(architecture.name, question) for architecture in LISTED for question in QUESTIONS}
    assert set(table["answer"]) <= {YES, REFUSED, TOO_LARGE}
    first, _, page = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8").partition("\n")
    assert first.startswith("<!-- made by: python -m pruneexp.studies.zoo; commit ")
    assert page.strip() == zoo.readable(table, Limits())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["resnet81"], "there is no architecture 'resnet81'. Did you mean 'resnet18'?"),
        (["--seconds", "0"], "--seconds and --gigabytes must be above 0"),
    ],
)
def test_a_mistake_is_a_sentence(words: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f".*{told.replace('?', '.')}"):
        zoo.main(["--report-dir", str(tmp_path), *words])


def test_a_library_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nobodys_models is not installed: pip install"):
        zoo.zoo([Architecture("resnet", "nobodys_models.make")], tmp_path, Limits())


def test_the_architectures_are_named_once_and_are_there() -> None:
    names = [architecture.name for architecture in LISTED]
    assert len(names) == len(set(names)) >= 40
    assert {architecture.library for architecture in LISTED} == {"torchvision", "timm"}
    smallest = next(architecture for architecture in LISTED if architecture.name == "squeezenet1_1")
    first, second = (architecture.network().state_dict() for architecture in (smallest, smallest))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert smallest.network()(smallest.images()).shape == (4, 10)
    timms = next(architecture for architecture in LISTED if architecture.name == "edgenext_xx_small")
    assert timms.network().eval()(timms.images()).shape == (4, 10)
