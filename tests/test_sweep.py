"""A command line's grids: the configurations that composing every combination in full gives, with far fewer compositions."""

import itertools
import pickle
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hydra import compose as hydra_compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, open_dict

from pruneexp import sweep
from pruneexp.errors import UserError
from pruneexp.jobs import composing
from pruneexp.jobs.composing import Composed, Source, composed, hydra, plain
from pruneexp.jobs.overrides import Parser
from pruneexp.jobs.words import GROUP_OF, opened
from pruneexp.sweep import expand, grids

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # composing takes a quarter of a second


@pytest.fixture(scope="module", autouse=True)
def once() -> Iterator[None]:
    """What two ways of making a grid both compose is composed once: Hydra is asked the same and says the same."""
    known: dict[tuple[Any, ...], bytes] = {}  # pickled, which is copied in a tenth of a configuration's time

    def of(name: str, words: list[str], return_hydra_config: bool) -> DictConfig:
        asked = name, tuple(words), return_hydra_config, composing.BESIDE.get()
        if asked not in known:
            known[asked] = pickle.dumps(hydra_compose(name, words, return_hydra_config=return_hydra_config))
        found: DictConfig = pickle.loads(known[asked])
        return found

    with mock.patch.object(composing, "compose", of):
        yield


def in_full(arguments: Sequence[str], source: Source | None = None) -> list[dict[str, Any]]:
    """Every combination's configuration, each composed by itself; the configuration's own sweep is the slowest."""
    source = source or Source()
    with hydra(source) as loader:
        parser = OverridesParser.create(config_loader=loader)
        typed = parser.parse_overrides([opened(argument) for argument in arguments])
        fixed = [str(one.input_line) for one in typed if not one.is_sweep_override()]
        params = composing.in_full(source.name, fixed).hydra.sweeper.get("params") or {}
        names = {GROUP_OF.get(one.key_or_group, one.key_or_group) for one in typed}
        own = parser.parse_overrides([opened(f"{name}={value}") for name, value in params.items() if name not in names])
        each = [
            [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
            if one.is_sweep_override()
            else [str(one.input_line)]
            for one in [*own, *(one for one in typed if one.is_sweep_override())]
        ]
        return [by_hydra(source.name, [*fixed, *words]) for words in itertools.product(*each)]


def by_hydra(name: str, words: Sequence[str]) -> dict[str, Any]:
    """What Hydra alone makes of the words."""
    config = composing.in_full(name, words)
    with open_dict(config):
        del config["hydra"]
    return plain(config)


def put_together(arguments: Sequence[str], source: Source | None = None) -> list[dict[str, Any]]:
    return [job.config for job in expand(arguments, source).jobs]


VALUES = {
    "masker": ["greedy", "sparsify", "greedy_global", "sparsify_global", "bss"],
    "scorer": ["magnitude", "snip", "synflow", "iter_snip"],
    "recipe": ["digits", "smoke", "laenen_cifar"],
    "dataset": ["digits", "tf_flowers64", "cifar100"],
    "model": ["vgg_small", "conv6"],
    "recipe.lr": ["0.1", "1e-2", "0.003"],
    "recipe.milestones": ["[2,4]", "[]"],
    "rounds": ["1", "3"],
    "densities": ["[0.1,0.02]", "[1.0]", "[0.3]"],
    "initialisation": ["kaiming_normal", "kaiming_uniform"],
    "logger": ["none", "csv"],
    "trainer.threads": ["1", "2"],
}
TREATMENTS = {
    "treatment": ["[]", "[shuffle]", "[invert,reinit]", "reinit"],
    "shuffle": ["true", "false"],
    "reinit": ["true", "false"],
}
EXPERIMENTS = ["vgg16_c100_sweep", "topology_controls", "laenen_fig2_resnet20"]


@st.composite
def commands(draw: st.DrawFn) -> list[str]:
    """Some options with one value or several, in any order, now and then with an experiment."""
    treated = draw(st.sampled_from([(), ("treatment",), ("shuffle",), ("shuffle", "reinit")]))
    names = [*draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True)), *treated]
    if "masker" in names and draw(st.booleans()):
        names.append("masker.scope")
    found = ["seed=" + draw(st.sampled_from(["0", "1,0", "range(3,5)"]))]
    if "masker" not in names:
        found.append("masker=greedy")
    for name in names:
        known = {**VALUES, **TREATMENTS, "masker.scope": ["layerwise", "global"]}[name]
        if name == "masker" and "masker.scope" in names:
            known = ["greedy", "sparsify", "greedy_global"]
        values = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2 + (len(names) < 3), unique=True))
        found.append(f"{name}={','.join(values)}")
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(EXPERIMENTS))
        found += [
            f"+experiment={name}",
            *(["treatment=[],[shuffle]"] if not treated and "treatment" not in names else []),
        ]
    return list(draw(st.permutations(found)))


@settings(max_examples=4, deadline=None, phases=UNSHRUNK)
@example(["seed=0", "scorer=synflow,magnitude,iter_snip", "rounds=3"])
@example(["seed=0", "masker=glob(sparsify*)", "recipe=digits,smoke", "recipe.lr=0.1,0.2"])
@example(["seed=0", "masker=greedy,sparsify", "masker.name=mine", "+experiment=vgg16_c100_sweep"])
@given(commands())
def test_a_grid_is_what_hydra_composes(arguments: list[str]) -> None:
    assert put_together(arguments) == in_full(arguments)


# files of a user's own


MASKER = "name: {}\n_target_: pruneexp.maskers.greedy.greedy\n_partial_: true\n"
RECIPE = "name: {}\n_target_: pruneexp.recipe.Recipe\nepochs: {}\nbatch_size: 8\nlr: {}\n"
FILES = {
    "masker/plain": MASKER.format("plain"),
    "masker/fast": "# @package _global_\nmasker:\n  name: fast\n  _target_: pruneexp.maskers.greedy.greedy\n  _partial_: true\n"
    "recipe:\n  lr: 0.7\n  label_smoothing: 0.3\n",
    "masker/sparse": "# @package _global_\nmasker:\n  name: sparse\n  _target_: pruneexp.maskers.greedy.greedy\n"
    "  _partial_: true\ndensities: [0.01]\n",
    "masker/listed": "defaults:\n  - greedy_global\n  - _self_\nname: listed\n",
    "masker/follows": MASKER.format("${recipe.name}_${scorer.name}"),
    "recipe/seeded": RECIPE.format("seeded", "${seed}", "0.1"),
    "recipe/x_digits": RECIPE.format("x_digits", 2, "0.1"),
    "recipe/x_cifar10": RECIPE.format("x_cifar10", 3, "0.2"),
    "recipe/x_cifar100": RECIPE.format("x_digits", 2, "0.1"),
    "model/classes": "name: for_${dataset.classes}\n_target_: pruneexp.models.vgg.vgg_small\n",
    "dataset/flowers": "name: flowers\n_target_: pruneexp.data.dataset.load\nsource:\n"
    "  _target_: pruneexp.data.tf_flowers.tf_flowers\n  _partial_: true\n  side: 64\nclasses: 5\ntrain_count: 2934\n"
    "image_shape: [3, 64, 64]\nmean: [0.5, 0.5, 0.5]\nstd: [0.3, 0.3, 0.3]\n",
    "chooses": "defaults:\n  - config\n  - override recipe: x_${dataset}\n  - _self_\nhydra:\n  sweeper:\n    params:\n"
    "      masker: greedy\n      seed: 0\n",
    "scorer/rounds": "# @package _global_\nrounds: 7\nscorer:\n  name: rounds\n"
    "  _target_: pruneexp.scorers.magnitude.magnitude\n  _partial_: true\n",
    "trainer/quick": "# @package _global_\nrecipe:\n  batch_size: 4\n",
    "experiment/chooses": "# @package _global_\ndefaults:\n  - override /recipe: x_${dataset}\nname: chooses\n",
    "experiment/says": "# @package _global_\nname: says\nrecipe:\n  lr: 0.9\nmasker:\n  name: said\n"
    "hydra:\n  sweeper:\n    params:\n      masker: greedy,plain\n      seed: 1,2\n",
    "experiment/adds": "# @package _global_\ndefaults:\n  - /treatment@treatment.mixed: shuffle\n  - override /recipe: smoke\nname: adds\n",
    "mine": "defaults:\n  - config\n  - _self_\nrecipe:\n  weight_decay: 0.25\nhydra:\n  sweeper:\n    params:\n"
    "      masker: greedy,plain\n      seed: 3,4\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of configurations."""
    found = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        (found / f"{name}.yaml").parent.mkdir(exist_ok=True)
        (found / f"{name}.yaml").write_text(text)
    return found


TRAPS = {
    "a masker's file that sets the recipe's lr": ["seed=0", "masker=greedy,fast,plain,sparsify", "recipe=digits,smoke"],
    "and lr is swept": ["seed=0", "masker=greedy,fast,plain", "recipe.lr=0.1,0.2"],
    "and lr is typed": ["seed=0", "masker=greedy,fast,plain", "recipe.lr=0.1"],
    "a masker's file that sets densities": ["seed=0", "masker=greedy,sparse,plain", "densities=[0.5],[0.25]"],
    "and they are not typed": ["seed=0", "masker=greedy,sparse,plain"],
    "a recipe that follows the seed": ["seed=1,2", "masker=greedy,plain", "recipe=smoke,seeded,digits"],
    "a recipe that follows the seed, alone": ["seed=1,2", "masker=greedy,plain", "recipe=seeded"],
    "a model that follows the data set": ["seed=0", "masker=greedy", "model=vgg_small,classes", "dataset=digits,cifar100"],
    "and no data set": ["seed=0", "masker=greedy", "model=vgg_small,classes,conv6", "dataset=cifar100"],
    "and its options": ["seed=0", "masker=greedy", "model=vgg_small,classes,conv6", "dataset.classes=10,20"],
    "a data set that follows its own option": [
        "seed=0", "masker=greedy", "dataset=tf_flowers64,flowers", "dataset.source.side=32,64",
    ],
    "and is alone": ["seed=0", "masker=greedy", "dataset=tf_flowers64", "dataset.source.side=64,32,64"],
    "a file with defaults of its own": ["seed=0", "masker=greedy,listed,plain", "scorer=snip,synflow"],
    "a masker that follows two others": ["seed=0", "masker=greedy,follows,plain", "recipe=smoke,digits", "scorer=snip,synflow"],
    "a scorer's file that sets rounds": ["seed=0", "masker=greedy,plain", "scorer=snip,rounds,magnitude,synflow", "rounds=2"],
    "and rounds are swept": ["seed=0", "masker=greedy", "scorer=snip,rounds,magnitude", "rounds=2,3"],
    "an experiment whose defaults follow a choice": ["+experiment=chooses", "masker=greedy", "seed=0", "dataset=digits,cifar10"],
    "and the last is as the first": ["+experiment=chooses", "masker=greedy", "seed=0", "dataset=digits,cifar10,cifar100"],
    "and a swept recipe": ["+experiment=chooses", "masker=greedy", "seed=0", "recipe=smoke,digits", "dataset=digits,cifar10"],
    "an experiment that says something of a masker": ["+experiment=says", "recipe=smoke,digits"],
    "an experiment that adds a file": ["+experiment=adds", "masker=greedy,plain", "seed=0", "scorer=magnitude,snip"],
    "several experiments' options typed": ["+experiment=says", "masker=plain,greedy,fast", "seed=0", "recipe.lr=0.1,0.2"],
    "a trainer that sets the recipe": ["seed=0", "masker=greedy", "trainer=auto,quick,auto", "recipe=smoke,digits"],
    "a treatment under another name": ["seed=0", "masker=greedy,plain", "+treatment@treatment.mixed=shuffle,reinit"],
}  # fmt: skip


@pytest.mark.parametrize("arguments", TRAPS.values(), ids=TRAPS)
def test_files_that_reach_further_than_their_group(folder: Path, arguments: list[str]) -> None:
    source = Source(folder=str(folder))
    assert put_together(arguments, source) == in_full(arguments, source)


def test_a_searchpath_typed_is_as_good_as_a_folder(folder: Path) -> None:
    arguments = TRAPS["a masker's file that sets the recipe's lr"]
    typed = [f"hydra.searchpath=[file://{folder}]", *arguments]
    found = put_together(typed)
    assert found == in_full(typed) == put_together(arguments, Source(folder=str(folder)))
    smoothing = {(one["masker"]["name"], one["recipe"].get("label_smoothing")) for one in found}
    assert smoothing == {("greedy", None), ("fast", 0.3), ("plain", None), ("sparsify", None)}


def test_a_primary_configuration_of_ones_own(folder: Path) -> None:
    source = Source("mine", str(folder))
    found = put_together(["recipe=smoke,digits"], source)
    assert found == in_full(["recipe=smoke,digits"], source)
    assert [(one["masker"]["name"], one["seed"], one["recipe"]["name"]) for one in found] == [
        *itertools.product(("greedy", "plain"), (3, 4), ("smoke", "digits"))
    ]
    assert {one["recipe"]["weight_decay"] for one in found} == {0.25}


def test_a_primary_configuration_that_chooses_by_another_choice(folder: Path) -> None:
    source = Source("chooses", str(folder))
    found = put_together(["dataset=digits,cifar10,cifar100"], source)
    assert found == in_full(["dataset=digits,cifar10,cifar100"], source)
    assert [one["recipe"]["epochs"] for one in found] == [2, 3, 2]


# several experiments


def test_each_experiment_has_its_own_sweep_name_and_densities() -> None:
    first, second = grids(["+experiment=vgg16_c100_sweep,topology_controls", "seed=5", "data_dir=there"])
    for grid, name in ((first, "vgg16_c100_sweep"), (second, "topology_controls")):
        alone = expand([f"+experiment={name}", "seed=5", "data_dir=there"])
        assert [job.config for job in grid.jobs] == [job.config for job in alone.jobs]
        assert {job.options.name for job in grid.jobs} == {name}
        assert {job.options.data_dir for job in grid.jobs} == {"there"}
    assert len(first.jobs) == 3
    assert len(second.jobs) == 8
    assert first.jobs[0].densities == [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005]
    assert second.jobs[0].densities == [1.0, 0.1, 0.05]


def test_an_experiment_named_twice_is_one() -> None:
    (grid,) = grids(["+experiment=vgg16_c100_sweep,vgg16_c100_sweep", "seed=0", "name=mine"])
    assert {job.options.name for job in grid.jobs} == {"mine"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["+experiment=vgg16_c100_sweep,topology_controls", "name=mine"],
            "name= names one report, and .* has 2 experiments",
        ),
        (["+experiment=[vgg16_c100_sweep,topology_controls]"], "names one experiment, or several as in "),
        (["+experiment=vgg16_c100_sweep", "+experiment=topology_controls"], "names one experiment, or several as in "),
        (["+experiment=vgg16_c100_sweep,none_such"], "there is no experiment 'none_such'"),
        (["+experiment=glob(none_such*)"], "names no experiment"),
        (["experiment=vgg16_c100_sweep,topology_controls"], "with a plus: type \\+experiment="),
        (["+experiment=vgg16_c100_sweep,topology_controls", "mode=plan,run"], "mode has one value"),
        (["mode=plan", "plan.time=maybe"], "plan must be {time: true} or {time: false}, typed as in plan.time=false"),
        (["mode=plan", "plan=[time]"], "plan must be"),
        (["mode=plan", "plan={a: 1}"], "plan must be"),
        (["mode=plan", "~plan.time"], "plan must be"),
        (["mode=plan", "plan.time=true,false"], "plan.time has one value"),
    ],
)
def test_what_several_experiments_cannot_be(arguments: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        grids(arguments)
    assert "\n" not in str(raised.value)


def test_expand_takes_one_experiment() -> None:
    with pytest.raises(UserError, match="these overrides name 2 experiments: name one"):
        expand(["+experiment=vgg16_c100_sweep,topology_controls", "seed=0"])


# an option typed twice


@pytest.mark.parametrize(
    ("typed", "counts"),
    [
        (["seed=0,1", "seed=7"], ["seed=7"]),
        (["seed=7", "seed=0,1"], ["seed=0,1"]),
        (["seed=0", "masker=greedy,bss", "masker=sparsify"], ["seed=0", "masker=sparsify"]),
        (["seed=0", "++recipe.lr=0.5", "recipe.lr=0.2"], ["seed=0", "recipe.lr=0.2"]),
        (["seed=0", "recipe.lr=0.5", "++recipe.lr=0.2,0.3"], ["seed=0", "recipe.lr=0.2,0.3"]),
        (["seed=0", "shuffle=true", "shuffle=false"], ["seed=0"]),
        (["seed=0", "shuffle=false", "shuffle=true"], ["seed=0", "treatment=[shuffle]"]),
        (["seed=0", "densities=[0.1]", "densities=[0.2]"], ["seed=0", "densities=[0.2]"]),
        (["seed=0", "treatment=[shuffle]", "treatment=[invert]"], ["seed=0", "treatment=[invert]"]),
        (["seed=0", "figures=[macs]", "figures=[lambda2]"], ["seed=0", "figure=[lambda2]"]),
        (["seed=0", "name=first", "name=second"], ["seed=0", "name=second"]),
    ],
)
def test_of_an_option_typed_twice_the_last_counts(typed: list[str], counts: list[str]) -> None:
    assert put_together(typed) == put_together(counts)


# values that need quotes


def parsed(argument: str) -> Any:
    with hydra(Source()) as loader:
        return Parser(loader).parse([argument])[0].value()


def refusal(argument: str) -> str:
    """What is said of an argument that cannot be read; nothing where it can be."""
    try:
        parsed(argument)
    except UserError as error:
        return str(error)
    return ""


def proposed(said: str) -> str:
    """The word that a refusal proposes, as the shell passes it on; nothing where it proposes none."""
    word = said.partition("around those for the shell: ")[2]
    return shlex.split(word.removesuffix("."))[0] if word else ""


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("data_dir", "a=b"), ("data_dir", "runs#2"), ("data_dir", "C:\\runs#2"), ("data_dir", "a#b\\"), ("data_dir", "a~b=c"),
        ("data_dir", "/data/Köln=1"), ("data_dir", "it's=so"), ("data_dir", 'he said "x"=y'), ("data_dir", "a,b=c"),
        ("data_dir", "a{b=c}"), ("data_dir", "a\\\\b=c"), ("data_dir", "a\\'b=c"), ("data_dir", "(a=b"), ("data_dir", "$HOME/a=b"),
        ("recipe.name", "a=b"), ("++recipe.name", "a#b"),
    ],
)  # fmt: skip
def test_what_is_proposed_gives_the_value_that_was_typed(option: str, value: str) -> None:
    said = refusal(f"{option}={value}")
    assert "\n" not in said
    assert parsed(proposed(said)) == value


@settings(max_examples=150, deadline=None, phases=UNSHRUNK)
@given(st.text(st.sampled_from("=#~äß $'\"\\,:(){}[]ab/."), min_size=1, max_size=9))
def test_whatever_is_proposed_gives_the_value_that_was_typed(value: str) -> None:
    if not value.startswith("[") and (word := proposed(refusal(f"data_dir={value}"))):
        assert parsed(word) == value


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("[a=b,c]", ["a=b", "c"]), ("[a#1, b]", ["a#1", "b"]), ("[Köln=1]", ["Köln=1"]), ("[a\\b=1,c\\]", ["a\\b=1", "c\\"]),
        ("[runs=1/a.jsonl,runs=2/b.jsonl]", ["runs=1/a.jsonl", "runs=2/b.jsonl"]),
    ],
)  # fmt: skip
def test_a_list_is_proposed_with_quotes_around_its_parts(typed: str, parts: list[str]) -> None:
    assert parsed(proposed(refusal(f"records={typed}"))) == parts


def test_a_home_folder_is_proposed_as_the_shells_variable() -> None:
    with pytest.raises(UserError, match=r'as in data_dir="\$HOME/data"\.$'):
        parsed("data_dir=~/data")


@pytest.mark.parametrize("argument", ["densities=[0.1", "data_dir={a", 'data_dir="a', "data_dir='a", "=3", "digits"])
def test_what_nothing_closes_is_refused_in_a_sentence(argument: str) -> None:
    with pytest.raises(UserError, match=r"NAME=VALUE|put quotes around the value") as raised:
        parsed(argument)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("~", "names no option"), ("~=3", "names no option"), ("+=3", "names no option"), ("@x=3", "names no option"),
        ("masker/mine=3", "must be the name of a file in conf/masker/mine"),
    ],
)  # fmt: skip
def test_what_names_nothing_is_refused_in_a_sentence(argument: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        grids([argument])
    assert "\n" not in str(raised.value)


# how often Hydra composes


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often Hydra has composed."""
    calls: list[Sequence[str]] = []

    def counting(name: str, overrides: Sequence[str]) -> Composed:
        calls.append(overrides)
        return composed(name, overrides)

    monkeypatch.setattr(sweep, "composed", counting)
    return lambda: len(calls)


def test_a_large_grid_takes_few_compositions(counted: Callable[[], int]) -> None:
    maskers = "bss,er,erk,greedy,greedy_global,greedy_matched,ramanujan_fit,random_regular,sparsify,sparsify_global,sparsify_tree,uniform"
    scorers = "bn_scale,eigenvector_centrality,grasp,iter_snip,l2,least_central,magnitude,ntk_sap,phew,prospr,random,snip,synflow,taylor"
    grid = expand([f"masker={maskers}", f"scorer={scorers}", "seed=0,1,2"])
    assert len(grid.jobs) == 12 * 14 * 3
    assert counted() < 40
    jobs = {(job.config["masker"]["name"], job.config["scorer"]["name"], job.seed): job.config for job in grid.jobs}
    assert set(jobs) == set(itertools.product(maskers.split(","), scorers.split(","), (0, 1, 2)))
    rounds = {scorer: config["rounds"] for (_, scorer, _), config in jobs.items() if config["rounds"] > 1}
    assert rounds == {"synflow": 100, "iter_snip": 60, "ntk_sap": 20}


def test_many_seeds_take_few_compositions(counted: Callable[[], int]) -> None:
    grid = expand(["masker=greedy", "seed=range(0,5000)"])
    assert [job.seed for job in grid.jobs] == list(range(5000))
    assert counted() < 5
