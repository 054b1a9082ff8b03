"""Nothing that a sweep leaves says where things lie on this machine, whose it is, or what it is called."""

import getpass
import json
import re
import shutil
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pruneexp.cell import FIELDS, PLACES
from pruneexp.jobs.places import without_places
from pruneexp.launchers.task import spelled
from tests.command import SMALL, in_process

NAME = "home-of-alice"
RECIPE = "defaults: [smoke]\nname: hers\ntrain_images: 128\ntest_images: 64\n"


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, its name first, and what is packed in it, unpacked."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)), b""
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as packed:
                    yield from ((f"{path.name}/{name}", packed.read(name)) for name in packed.namelist())


def test_every_option_that_is_a_path_is_known_by_its_type() -> None:
    assert PLACES == ("weights", "records", "data_dir", "results_dir", "report_dir", "cell", "to")
    assert not [name for name in FIELDS if name.endswith(("_dir", "path", "folder")) and name not in PLACES]


def test_no_file_of_a_sweep_has_a_path_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, work = tmp_path / NAME, tmp_path / "work"
    work.mkdir()
    (home / "conf" / "recipe").mkdir(parents=True)
    (home / "conf" / "recipe" / "hers.yaml").write_text(RECIPE, encoding="utf-8")
    places = [f"data_dir={home}/data", f"results_dir={home}/runs", f"report_dir={home}/out"]
    asked = [
        *(word for word in SMALL if not word.startswith(("recipe", "figure", "logger"))),
        "--config-dir", str(home / "conf"), f"hydra.searchpath=[file://{home}/conf]", "recipe=hers", "logger=csv", "seed=0",
        "masker=greedy",
    ]  # fmt: skip
    first = in_process(work, monkeypatch, capsys, *asked, *places, "densities=[1.0]", "figure=[]")
    assert first.code == 0, first.err
    (dense,) = (home / "runs").glob("digits-*")
    shutil.copy(dense / "weights.safetensors", home / "w.safetensors")
    (record,) = (home / "out" / "records").iterdir()
    words = [*asked, *places, f"weights={home}/w.safetensors", f'records=["{record}"]', "densities=[0.5]"]
    outcome = in_process(work, monkeypatch, capsys, *words, "figure=[accuracy]")
    assert outcome.code == 0, outcome.err
    (pruned,) = set((home / "runs").glob("digits-*")) - {dense}
    told = json.loads((pruned / "record.json").read_text(encoding="utf-8"))
    assert "weights=w.safetensors" in told["command"]
    assert told["description"]["weights"].startswith("sha256:")
    (table,) = (home / "out" / "tables").glob("*weights*.json")
    asked_for = json.loads(table.read_text(encoding="utf-8"))["command"]
    assert f"weights=w.safetensors 'records=[\"{record.name}\"]'" in asked_for
    assert "--config-dir DIR hydra.searchpath=[file://DIR]" in asked_for
    looked, hits = 0, list[tuple[str, bytes]]()
    secrets = {NAME, str(tmp_path), str(Path.home()), socket.gethostname(), getpass.getuser()}
    patterns = [re.compile(rb"(?<![\w.-])" + re.escape(one.encode()) + rb"(?![\w.-])") for one in secrets]
    for name, content in contents(home):
        looked += 1
        binary = "\ufffd" in content.decode(errors="replace")  # in which a short name may stand by chance
        hits += [
            (name, one.pattern) for one in patterns if one.search(content) and not (binary and len(one.pattern) < 40)
        ]
    assert looked > 60
    assert hits == []


def test_words_lose_where_things_lie_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    kept = [
        "seed=0",
        "densities=[0.1,0.02]",
        "results_dir=runs",
        "weights=runs/a/b",
        "where=\"masker == 'x/y'\"",
        "-cn",
        "mine",
    ]
    assert without_places(kept) == kept
    cell = "digits-vgg_small-dense-dense-d1-s0-0123456789abcdef"
    for word, told in {
        f"weights={tmp_path}": ["weights=DIR"],
        f"weights={tmp_path}/w": ["weights=w"],
        f'weights="{tmp_path}/odd, name.pth"': ['weights="odd, name.pth"'],
        f"weights=/a/w.pth,{tmp_path}/w": ["weights=w.pth,w"],
        f"weights=/home/me/runs/{cell}": [f"weights={cell}"],
        "weights=~/w.pth": ["weights=w.pth"],
        "results_dir=../me": [],
        f"data_dir={tmp_path}": [],
        "from=[a,/home/me/a.jsonl]": ["from=[a,a.jsonl]"],
        "++dataset.source.root=/home/me/images": ["++dataset.source.root=DIR"],
        "--config-dir=/home/me": ["--config-dir=DIR"],
        "-cd/home/me": ["-cdDIR"],
        "hydra.searchpath=[file:///home/me/conf,pkg://mine]": ["hydra.searchpath=[file://DIR,pkg://mine]"],
    }.items():
        assert without_places([word]) == told, word
    assert spelled(["--config-dir", "/home/me", "seed=0"]) == "python -m pruneexp --config-dir DIR seed=0"
