"""What is composed is what Hydra composes; files of options that are none, from folders of the user's own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from pruneexp.cell import FIELDS
from pruneexp.errors import UserError
from pruneexp.jobs import composing
from pruneexp.jobs.composing import Composed, Source, check_files, composed, hydra, in_full, loaded
from pruneexp.reports.presets import Presets
from pruneexp.system.shipped import conf_dir

BOMB = b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + k, 98 + k, b",".join([b"*%c" % (97 + k)] * 9)) for k in range(8)
)


@pytest.mark.parametrize(
    "content",
    [
        b"name: !!python/object/apply:os.mkdir [harm]\n",
        b"name: own\n\tlr: 1\n",
        b"name: caf\xe9\n",
        b"name: " + b"[" * 3000,
        b"[1, 2]",
        b"5",
        bytes(1 << 20),
    ],
    ids=["code", "tab", "Latin-1", "deep", "list", "number", "large"],
)
def test_what_is_no_file_of_options_is_one_sentence(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model" / "mine.yaml"
    path.parent.mkdir()
    path.write_bytes(content)
    for reading in (lambda: loaded(path), lambda: Presets((tmp_path,)).title("model", "mine")):
        with pytest.raises(UserError, match=rf"^{path} (is no file of options|must have options)") as caught:
            reading()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_aliases_that_multiply_and_huge_files_are_refused_before_hydra_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {lr: 1}\nb: {<<: *a}\nc: [*a, *a]\n", encoding="utf-8")
    os.mkfifo(tmp_path / "fifo.yaml")
    check_files(tmp_path)
    for content in (BOMB, b"a: &a [*a]\n"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="or 10,000 values, aliases written out"):
            check_files(tmp_path)
    os.truncate(path, 10**10)
    with pytest.raises(UserError, match="has more than 256 KiB"):
        check_files(tmp_path)


def outcome(compose: Callable[[], Composed | DictConfig]) -> tuple[Any, ...] | str:
    """A configuration with what it sweeps and chooses, or why there is none."""
    try:
        with hydra(Source()):
            found = compose()
    except UserError as error:
        return str(error)
    if not isinstance(found, Composed):
        params, choices = found.hydra.sweeper.get("params") or {}, dict(found.hydra.runtime.choices)
        with open_dict(found):
            del found["hydra"]
        found = Composed(found, params, choices)
    return OmegaConf.to_container(found.config), OmegaConf.is_struct(found.config), found.params, found.choices


@pytest.mark.parametrize(
    "words",
    [
        ("++masker.scope=global", "masker=sparsify", "densities=[0.1]", "++masker.scope=layerwise", "shuffle=true"),
        ("recipe=smoke", "+experiment=laenen_extreme_tiny", "++recipe.mine={b:1,c:[1,2]}", r'title="x\"y"', "trainer.threads=2"),
        ("densities=${seed}", "++treatment.shuffle.mine=1", "figure=[]", "name=null"),
        ("recipe={lr:7}", "++recipe.lr=3"),
        ("+mine=1", "seed=3"),
        ("recipe.lrs=3",),
        ("seed=3", "seeds=3"),
        ("masker=nope", "++recipe.lr=3"),
        ("++recipe.lr.z=3",),
        ("densities.0=3",),
        ("masker=erk", "plan.time=false"),
        ("plan.times=false",),
        ("plan.time.z=3", "seed=3"),
        ("plan=false", "plan.time=false"),
        ("seed.z=3",),
    ],
)  # fmt: skip
def test_options_that_are_set_afterwards_are_as_hydra_sets_them(words: tuple[str, ...]) -> None:
    assert outcome(lambda: composed("config", words)) == outcome(lambda: in_full("config", words))


def test_of_one_choice_of_files_hydra_composes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composing._of_own_files.cache_clear()
    asked = mock.Mock(wraps=composing._compose)
    monkeypatch.setattr(composing, "_compose", asked)
    with hydra(Source()):
        options = ["++recipe.lr=0.5", "plan.time=false"]
        found = [composed("config", ["masker=erk", f"seed={seed}", *options]).config for seed in (1, 2)]
    assert [(one.seed, one.recipe.lr, one.masker.name) for one in found] == [(1, 0.5, "erk"), (2, 0.5, "erk")]
    assert [one.plan.time for one in found] == [False, False]
    assert asked.call_count == 1


def test_no_group_of_files_is_called_as_an_option() -> None:
    assert not {path.name for path in conf_dir().iterdir()} & FIELDS.keys()
