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


def outcome(compose: Callable[[], Composed | DictConfig], source: Source | None = None) -> tuple[Any, ...] | str:
    """A configuration with what it sweeps and chooses, or why there is none."""
    try:
        with hydra(source or Source()):
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
    composing._of_files.cache_clear()
    asked = mock.Mock(wraps=composing._compose)
    monkeypatch.setattr(composing, "_compose", asked)
    with hydra(Source()):
        options = ["++recipe.lr=0.5", "plan.time=false"]
        found = [composed("config", ["masker=erk", f"seed={seed}", *options]).config for seed in (1, 2)]
    assert [(one.seed, one.recipe.lr, one.masker.name) for one in found] == [(1, 0.5, "erk"), (2, 0.5, "erk")]
    assert [one.plan.time for one in found] == [False, False]
    assert asked.call_count == 1


@pytest.mark.parametrize(
    "words",
    [
        ("recipe=smoke", "model=resnet20", "+experiment=laenen_extreme_tiny", "launcher=gpus"),
        ("+experiment=centrality_table", "dataset=digits", "recipe=smoke"),  # it says something of recipes
        ("scorer=synflow", "recipe=smoke", "masker=erk"),  # its file says something of rounds
        ("model=vgg16", "allocation=like", "scorer@allocation.scorer=snip", "dataset=cifar10"),
        ("figure=[]", "treatment=[shuffle]", "masker=bss", "logger=none"),
        ("treatment=[invert,shuffle]", "measurement=[topology]", "+experiment=topology_controls"),
        ("treatment=[shuffle,shuffle]", "recipe=smoke"),
        ("treatment=[nope]", "recipe=smoke"),
        ("shuffle=true", "treatment=[invert]", "recipe=smoke"),
        ("recipe=smoke", "recipe=digits", "model=vgg16"),
        ("recipe=true", "model=vgg16"),
        ("model=nope", "recipe=smoke"),
        ("+experiment=nope", "recipe=smoke"),
        ("+model=vgg16", "recipe=smoke"),
        ("+scorer@x=${scorer}", "scorer=snip"),
        ("recipe=${dataset}", "dataset=cifar10"),
        ("masker=[erk]", "scorer=synflow"),
    ],
)
def test_files_that_are_put_together_are_as_hydra_composes_them(words: tuple[str, ...]) -> None:
    assert outcome(lambda: composed("config", words)) == outcome(lambda: in_full("config", words))


OWN = {
    "model/small.yaml": "name: small\n_target_: pruneexp.models.vgg.vgg_small\n_partial_: true\n",
    "model/also.yaml": "# @package _global_\nmodel: {name: also}\nrecipe: {lr: 7}\n",
    "model/chosen.yaml": "defaults: [vgg16, {/recipe@_global_.figure: smoke}]\n",
    "model/empty.yaml": "",
    "scorer/planned.yaml": "# @package _global_\nscorer: {name: planned}\nplan: {time: false}\n",
    "masker/rounds.yaml": "# @package _global_\nmasker: {name: rounds}\nrounds: 3\nonly: [fc]\n",
    "experiment/rounds.yaml": "# @package _global_\nrounds: 7\n",
    "model/broken.yaml": "name: [\n",
    "recipe/mine_digits.yaml": "name: mine\nlr: 3\n",
    "recipe/mine_cifar10.yaml": "name: mine\nlr: 4\n",
    "recipe/likewise.yaml": "name: likewise\nlr: ${model.name}\nepochs: ???\n",
    "experiment/follows.yaml": "# @package _global_\ndefaults: [{override /recipe: 'mine_${dataset}'}]\n",
    "experiment/chooses.yaml": "# @package _global_\ndefaults: [{/scorer@masker.other: snip}]\n",
    "treatment/sub/odd.yaml": "# @package _global_\ntreatment: {odd: {a: 1}}\nrounds: 7\n",
    "masker/unset.yaml": "# @package _global_\nmasker: {name: unset}\nrounds: ???\n",
    "scorer/headed.yaml": "# @package _global_.figure.mine\na: 1\n",
    "figure/none.yaml": "# nothing\n",
    "hydra/env/mine.yaml": "# @package _global_\nmodel: {name: h}\n",
    "scorer/replaced.yaml": "# @package model.x_global_.model\na: 1\n",
    "experiment/of_hydra.yaml": "# @package _global_\ndefaults: [{override /hydra/env: mine}]\n",
    "experiment/lists.yaml": "# @package _global_\ndefaults: [{override /masker: [rounds]}]\n",
    "experiment/reaches.yaml": "# @package _global_\ndefaults: [{override /treatment: [sub/odd]}]\n",
    "experiment/one.yaml": "# @package _global_\ndefaults: [{override /figure: macs}]\n",
    "experiment/headed.yaml": "# @package figure.mine\na: 1\n",
    "experiment/of_model.yaml": "# @package model\nname: vgg_small\n",
    "experiment/swept.yaml": "# @package _global_\nhydra: {sweeper: {params: {scorer: 'snip,${model.name}', seed: '${rounds},9'}}}\n",
    "experiment/says.yaml": "# @package _global_\nmodel: {title: said}\n",
}


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        ("model=small", "recipe=likewise"),
        ("model=also", "recipe=smoke"),
        ("model=chosen", "recipe=digits"),
        ("model=empty", "recipe=smoke"),
        ("model=broken", "recipe=smoke"),
        ("scorer=planned", "recipe=smoke"),
        ("masker=rounds", "recipe=smoke"),
        ("masker=rounds", "scorer=synflow"),
        ("scorer=synflow", "masker=rounds"),
        ("+experiment=rounds", "masker=rounds"),
        ("figure=[mine]", "masker=erk"),
        ("model=small", "figure=[macs]"),
        ("treatment=[sub/odd]", "scorer=synflow"),
        ("treatment=[../scorer/synflow]", "masker=rounds"),
        ("masker=unset", "recipe=smoke"),
        ("scorer=headed", "figure=[macs]"),
        ("figure=[none]", "recipe=smoke"),
        ("+experiment=reaches", "scorer=synflow"),
        ("+experiment=one", "figure=[lambda2]"),
        ("+experiment=of_hydra", "model=small"),
        ("+experiment=lists", "scorer=synflow"),
        ("+experiment=figured", "figure=[macs]"),
        ("masker=[rounds]", "scorer=synflow"),
        ("+scorer@_global_=[planned]", "masker=rounds"),
        ("scorer=replaced", "model=small"),
        ("seed=3", "recipe=smoke"),
        ("+experiment=headed", "figure=[macs]"),
        ("+experiment=of_model", "model=resnet20"),
        ("+experiment=swept", "model=resnet20", "rounds=4"),
        ("+experiment=laenen_extreme_tiny", "+experiment@_global_=rounds", "scorer=synflow"),
        ("+experiment=follows", "dataset=cifar10"),
        ("+experiment=follows", "recipe=smoke"),
        ("+experiment=chooses", "recipe=digits", "model=small"),
        ("+experiment=says", "model=small"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Hydra's, of options.yaml
def test_files_of_ones_own_that_say_more_are_left_to_hydra(words: tuple[str, ...], tmp_path: Path) -> None:
    if words[0] == "figure=[mine]":
        write(tmp_path / "figure/mine.yaml", "# @package _global_\nmasker: {title: mine}\n")
    if "+experiment=figured" in words:
        write(tmp_path / "figure/mine.yaml", "# @package _global_\nfigure: {mine: {a: 1}}\nrounds: 3\n")
        write(tmp_path / "experiment/figured.yaml", "# @package _global_\ndefaults: [{override /figure: [mine]}]\n")
    if words[0] == "seed=3":
        write(tmp_path / "seed/4.yaml", "a: 1\n")
    if words == ("model=small", "figure=[macs]"):
        write(tmp_path / "options.yaml", "model: {title: mine}\nfigure: {mine: {a: 1}}\n")
    for name, content in OWN.items():
        write(tmp_path / name, content)
    source = Source(folder=str(tmp_path))
    found = outcome(lambda: composed("config", words), source)
    assert found == outcome(lambda: in_full("config", words), source)
    assert (words[0] in ("model=broken", "seed=3")) == isinstance(found, str)


def test_files_are_put_together_without_hydra_until_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composing._of_files.cache_clear()
    asked = mock.Mock(wraps=composing._compose)
    monkeypatch.setattr(composing, "_compose", asked)
    path = tmp_path / "recipe" / "mine.yaml"
    path.parent.mkdir()
    for k, rate in enumerate((1, 2)):
        path.write_text(f"name: mine\nlr: {rate}\n", encoding="utf-8")
        with hydra(Source(folder=str(tmp_path))):
            for words in (["recipe=mine"], ["recipe=mine", "model=resnet20"], ["scorer=snip", "recipe=mine"], []):
                found = composed("config", words).config
        assert found.recipe.name == "digits"
        with hydra(Source(folder=str(tmp_path))):
            assert composed("config", ["recipe=mine"]).config.recipe == {"name": "mine", "lr": rate}
        assert asked.call_count == k + 1


def test_a_file_is_read_anew_whose_time_alone_stayed_or_that_lies_behind_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write(tmp_path / "elsewhere" / "mine.yaml", "name: mine\nlr: 1\n")
    write(folder / "recipe" / "near.yaml", "name: near\nlr: 1\n")
    (folder / "model").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    near, far = folder / "recipe" / "near.yaml", tmp_path / "elsewhere" / "mine.yaml"
    before = near.stat().st_mtime_ns
    for rate in (1, 22):
        write(near, f"name: near\nlr: {rate}\n")
        os.utime(near, ns=(before, before))
        write(far, f"name: mine\nlr: {rate}\n")
        with hydra(Source(folder=str(folder))):
            found = composed("config", ["recipe=near", "model=mine"]).config
        assert (found.recipe.lr, found.model.lr) == (rate, rate)


def test_no_group_of_files_is_called_as_an_option() -> None:
    assert not {path.name for path in conf_dir().iterdir()} & FIELDS.keys()
