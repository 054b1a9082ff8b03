"""Files that would run code: no reader runs it, and each says one sentence. Networks and models are in test_exported and test_load_cell."""

import ast
import io
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import pruneexp
from pruneexp.data.cifar import _Batch
from pruneexp.data.dataset import _open
from pruneexp.errors import UserError
from pruneexp.failures import Failure
from pruneexp.launchers.bundle import Bundle
from pruneexp.launchers.submitted import ended_well, result
from pruneexp.launchers.task import Outcome, Task, Todo
from pruneexp.network.masks import load_masks
from pruneexp.records import artifact_store
from pruneexp.sweep import expand
from pruneexp.system import files
from pruneexp.training.checkpoint import Checkpoint
from scripts.damaged_files.oddities import Harm
from tests.command import ROOT, in_process
from tests.reports.made_records import fill, record


def test_a_checkpoint_with_a_false_payload_and_the_right_seal(tmp_path: Path) -> None:
    content, said = io.BytesIO(), list[str]()
    torch.save({"identity": Harm(tmp_path / "harm")}, content)
    for payload in (content.getvalue(), b"no pickle", pickle.dumps(Harm(tmp_path / "harm"))):
        files.write_sealed(tmp_path / "checkpoint", payload)
        assert Checkpoint(tmp_path / "checkpoint", {"cell": "a"}, "cpu", 1, said.append)._read() is None
    assert len(said) == 3
    assert all("is no checkpoint of a training" in line and line.endswith("; starting anew") for line in said)
    assert not (tmp_path / "harm").exists()


def test_an_artifact_with_a_false_payload_and_the_right_seal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write_sealed(tmp_path / "scores", pickle.dumps(Harm(tmp_path / "harm")))
    assert artifact_store._read(tmp_path / "scores", lambda _: "") is None
    assert "it is made again" in "".join(capsys.readouterr())
    assert not (tmp_path / "harm").exists()


def test_arrays_of_objects_and_of_later_formats(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Harm(tmp_path / "harm")], dtype=object), allow_pickle=True)
    with (tmp_path / "b.npy").open("wb") as file:
        np.lib.format.write_array(file, np.zeros(3), version=(2, 0))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(UserError, match=f"{name} is damaged"):
            _open(tmp_path / name)
    assert not (tmp_path / "harm").exists()


def test_a_batch_of_cifar_holds_arrays_alone(tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="is no part of an array"):
        _Batch(io.BytesIO(pickle.dumps({"data": Harm(tmp_path / "harm")}))).load()
    assert not (tmp_path / "harm").exists()


def test_masks_are_bool_and_do_not_lie_in_their_file(tmp_path: Path) -> None:
    path = tmp_path / "masks.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.ones(1000, dtype=torch.bool)}))
    masks = load_masks(path)
    os.truncate(path, 0)
    assert int(masks["a"].sum()) == 1000
    path.write_bytes(safetensors.torch.save({"a": torch.full((3,), torch.nan)}))
    with pytest.raises(UserError, match=r"a is torch.float32 and a mask is torch.bool"):
        load_masks(path)


def test_a_report_reads_no_presets_but_those_of_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record's names are files of conf/: one that is a path would be a file of its writer's, with a component to import."""
    (tmp_path / "evil.py").write_text("import os\nos.mkdir('executed')\n", encoding="utf-8")
    (tmp_path / "evil.yaml").write_text(
        "_target_: evil.scorer\ntitle: Evil\nnote: Evil.\nrounds: 7\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    where = os.path.relpath(tmp_path / "evil", ROOT / "conf" / "scorer")
    grid = expand(["masker=greedy", "densities=[1.0,0.1]", "seed=0"])
    for k, name in enumerate((str(tmp_path / "evil"), where)):
        runs, names = tmp_path / f"runs{k}", {"scorer": name, "model": name}
        fill(grid, runs, lambda cell, names=names: record(cell, 80.0, names=cell.names | names))  # type: ignore[misc]
        monkeypatch.chdir(tmp_path)
        frame = pruneexp.load_results(runs)
        assert len(frame) == 2
        ran = in_process(
            tmp_path, monkeypatch, capsys, "mode=report", f"from=[{runs}]", "figure=[]", f"report_dir={tmp_path / 'to'}"
        )
        assert ran.code == 0, ran.err
        assert "Evil" not in ran.out
        assert "evil" not in sys.modules
        assert not (tmp_path / "executed").exists()


def test_a_clusters_job_leaves_an_outcome_alone(tmp_path: Path) -> None:
    path, bundle = tmp_path / "1_0_result.pkl", Bundle((Task({}, "", "a", (Todo("key", 0.5, 0),), 1),))
    ended = Outcome((Failure("key", "a", "why", "trace"),), "stopped")
    path.write_bytes(pickle.dumps(("success", ended)))
    assert result(path, bundle) == ended
    for found, why in (
        (pickle.dumps(("success", Harm(tmp_path / "harm"))), "posix.mkdir is no part of a job's result"),
        (pickle.dumps(("error", "Traceback\nValueError: x\n")), "ValueError: x"),
        (pickle.dumps(("error", "")), "it says nothing"),
        (pickle.dumps(7), "is no result of a job"),
        (b"", "is no result of a job"),
        (pickle.dumps(("success", Outcome(5))), "is no result of a job"),  # type: ignore[arg-type]
        (pickle.dumps(("success", Outcome((5,)))), "is no result of a job"),  # type: ignore[arg-type]
        (pickle.dumps(("success", Outcome((), 5))), "is no result of a job"),  # type: ignore[arg-type]
    ):
        path.write_bytes(found)
        assert not ended_well(path)
        assert (outcome := result(path, bundle)) is not None
        assert [one.key for one in outcome.failures] == ["key"]
        assert why in outcome.failures[0].why
    assert not (tmp_path / "harm").exists()
    assert result(tmp_path / "2_0_result.pkl", bundle) is None
    assert not ended_well(tmp_path / "2_0_result.pkl")
    os.mkfifo(tmp_path / "3_0_result.pkl")
    assert "is no result of a job" in result(tmp_path / "3_0_result.pkl", bundle).failures[0].why  # type: ignore[union-attr]
    path.write_bytes(pickle.dumps(("success", Outcome())))
    assert ended_well(path)


def test_yaml_makes_no_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine" / "scorer").mkdir(parents=True)
    for tag in ("object/apply:os.mkdir", "object/new:os.mkdir", "module:evil", "name:os.mkdir"):
        (tmp_path / "mine" / "scorer" / "evil.yaml").write_text(f"name: !!python/{tag} [executed]\n", encoding="utf-8")
        ran = in_process(tmp_path, monkeypatch, capsys, "-cd", "mine", "scorer=evil", "mode=plan")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("pruneexp: ")
        assert ran.err.count("\n") == 1
        assert os.listdir(tmp_path) == ["mine"]


# what runs whatever it is given, and where that is pruneexp's own: in a folder of one process and its children, or of one user's jobs
RUNS = {
    "torch.load", "torch.hub.load", "torch.jit.load", "torch.export.load", "pickle.load", "pickle.loads", "marshal.loads",
    "cloudpickle.load", "joblib.load", "pickle_load", "pd.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load",
    "shelve.open", "eval", "exec", "compile", "importlib.import_module", "__import__",
}  # fmt: skip
TRUSTED = {
    "pruneexp/completion.py": {"yaml.load"},  # with a safe loader, which makes no objects
    "pruneexp/training/fit_on_devices.py": {"torch.load"},
    "pruneexp/training/processes.py": {"torch.load"},
    "pruneexp/studies/architectures/questions.py": {"torch.export.load"},  # of what it has just written
    "pruneexp/exporting.py": {"torch.export.load"},  # the same
    "pruneexp/jobs/composing.py": {"pickle.loads"},  # the same, which no file holds
    "pruneexp/components/component.py": {
        "importlib.import_module"
    },  # what a command or, looked at before, a record names
    "pruneexp/reports/frame.py": {"cells.eval"},  # words of the command
    "pruneexp/reports/published.py": {"rows.eval"},  # words of a configuration, over a published table
    "pruneexp/studies/architectures/listed.py": {"importlib.import_module"},
    "pruneexp/__init__.py": {"importlib.import_module"},
    "pruneexp/graphs/__init__.py": {"importlib.import_module"},
}


def calls(path: Path) -> Iterator[str]:
    """The functions that a file calls which run what they read, and loaders that are told to."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name, said = ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords}
            if name.endswith(".eval") and (node.args or node.keywords):  # pandas', not a network's
                yield name
            if name in RUNS and not (name == "torch.load" and said.get("weights_only") == "True"):
                yield name
            if said.get("allow_pickle", "False") != "False":
                yield f"{name}(allow_pickle)"


def test_nothing_else_in_the_program_reads_what_can_run() -> None:
    found = {path: set(calls(path)) for path in sorted((ROOT / "pruneexp").rglob("*.py"))}
    assert {path.relative_to(ROOT).as_posix(): names for path, names in found.items() if names} == TRUSTED


def test_the_check_sees_what_runs(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "torch.load(f)\ntorch.load(f, weights_only=False)\ntorch.load(f, weights_only=True)\n"
        "def g():\n    np.load(f, allow_pickle=True)\n    np.load(f, allow_pickle=False)\n    model.eval()\n    eval(f)\n"
        "    table.eval(f)\n"
    )
    assert sorted(calls(tmp_path / "a.py")) == [
        "eval",
        "np.load(allow_pickle)",
        "table.eval",
        "torch.load",
        "torch.load",
    ]
