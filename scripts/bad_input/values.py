"""Each option there is with values that it cannot have, some of them chosen by lot; names that are nearly right; words that are none."""

import random
import re
from collections.abc import Iterator

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL
from pruneexp.system.shipped import conf_dir
from scripts.bad_input.lines import Line
from scripts.wrong_values import places

VALUES = {
    "text": "text", "negative": "-3", "zero": "0", "half": "2.5", "10**12": "1000000000000", "10**400": "1" + "0" * 400, "nan": "nan",
    "inf": "inf", "empty": "", "quoted empty": "''", "null": "null", "list": "[1,2]", "empty list": "[]", "dict": "{a: 1}",
    "list of lists": "[[1],[2]]", "unicode": "'ä漢🙂'", "100 kB": "x" * 100_000, "slashes": "'../../etc/passwd'", "dots": "'a..b'",
    "true": "true", "quote": "'", "bracket": "[1", "interpolation": "'${oc.env:HOME}'", "escape": "'\x1b[31m'", "range": "range(3,1)",
    "glob": "glob(x*)", "choice": "choice()",
}  # fmt: skip
EACH = 3  # values of an option
SLOW = ("model=alexnet", "model=alexnet_2448", "model=vgg13_2448", "scorer=ntk_sap", "scorer=iter_snip")
# kind of value -> what (a pattern) the option's own words must say for it to be right, and why it then is
RIGHT = {
    "zero": ("at least 0", "a number from zero on"),
    "half": ("number, ", "a number within its bounds"),
    "text": ("text", "text that tables show"),
    "unicode": ("line of text", "a path or a title"),
    "dots": ("text|project's name", "dots may stand within it"),
    "slashes": ("line of text", "a path or a title"),
    "empty list": ("a list", "nothing is chosen"),
    "interpolation": ("line of text", "text, of a variable"),
    "null": ("null", "nothing is given"),
    "list": ("a list of numbers", "numbers"),
    "true": ("true or false", "a switch"),
}
NEAR = [
    "epochs=3", "recipe.epoch=3", "recipe.learning_rate=0.1", "sed=0", "seeds=0", "density=0.1", "densites=[0.1]", "sparsity=0.9",
    "models=vgg_small", "model=vgg_smal", "model=VGG_SMALL", "model=vgg-small", "model=vgg_small.yaml", "model=conf/model/vgg_small",
    "model=./vgg_small", "model=vgg_small/", "model=../model/vgg_small", "dataset=digit", "dataset=cifar-10", "dataset=CIFAR10",
    "dataset=mnist", "scorer=magnitud", "scorer=l1", "scorer=snip,sinp", "masker=gready", "masker=greedy/", "masker=random",
    "recipe=smok", "recipe=sgd", "trainer=cpu", "trainer=gpu", "launcher=joblib", "launcher=submitit", "logger=wanbd", "logger=mlflow",
    "treatment=repiar", "treatment=[repair,shufle]", "measurement=topologie", "figure=accuraci", "columns=[accurcy]",
    "columns=[n,,accuracy]", "columns=accuracy,", "+experiment=laenen", "experiment=laenen_fig3", "+experiment=", "+experiment=null",
    "+experiment=[a,b]", "+experiments=laenen_fig3", "mode=dry", "mode=Run", "mode=run,plan,nothing", "when=later", "rewind=start",
    "biases=none", "initialisation=xavier", "initialization=kaiming_normal", "batchnorm_init=one", "round_masker=sparsify",
    "round_counts=floor", "trainer.accelerator=gpu", "trainer.accelerator=mps", "trainer.accelerator=tpu", "trainer.precision=fp16",
    "trainer.precision=16", "trainer.precision=float64", "trainer.thread=1", "trainer.device=2", "trainer.members=all",
    "launcher.device=2", "logger.projekt=a", "recipe.optimizer=adam", "recipe.schedule=linear", "recipe.crop=kept", "dataset.path=x",
    "dataset.root=x", "dataset.batch_size=3", "masker.scope=layer", "scorer.samples=5", "model.depth=11", "treatment.repair=true",
    "hydra.run.dir=x", "hydra.sweep.dir=x", "hydra.sweeper=basic", "hydra/launcher=joblib", "hydra/sweeper=optuna", "hydra.mode=MULTIRUN",
    "hydra.verbose=true", "hydra.job.chdir=true", "hydra.output_subdir=x", "_target_=os.system", "__class__=1",
    "model._target_=os.system", "model._target_=builtins.eval", "model._target_=os", "model._target_=pruneexp",
    "model._target_=pruneexp.models.vgg", "model._target_=.vgg", "model._target_=pruneexp..vgg",
    "model._target_=pruneexp.models.vgg.vgg_smal", "model._target_=pruneexp.models.vgg.PLANS",
    "scorer._target_=pruneexp.models.vgg.vgg_small", "masker._target_=pruneexp.scorers.magnitude.magnitude",
    "recipe._target_=builtins.dict", "trainer._target_=builtins.print", "launcher._target_=builtins.print",
    "dataset._target_=builtins.len", "dataset.source._target_=builtins.len", "dataset.source._target_=pruneexp.data.digits.digit",
    "model._args_=[1]", "model._recursive_=false", "model._convert_=all", "+model.extra=1", "+extra=1", "++extra=1", "~extra", "~seed",
    "~densities", "~model", "~model.name", "~recipe.epochs", "~data_dir", "~logger", "~launcher", "~trainer", "+model=vgg11", "+seed=0",
    "++seed=zero", "model@x=vgg11", "model@=vgg11", "@model=vgg11",
]  # fmt: skip
SPELLED = [
    "", " ", "=", "==", "seed", "seed:0", "seed =0", "seed= 0 1", "=0", "seed==0", "seed=0=1", "seed=(0", "seed=0)", "seed={0", "seed=[0",
    "seed=0]", "seed='0", 'seed="0', "seed=0,", "seed=,0", "seed=0,,1", "seed=range(", "seed=range()", "seed=range(a,b)",
    "seed=range(0,1,0)", "seed=range(0,-1)", "seed=range(0,1.5,0.5)", "seed=interval(0,1)", "seed=shuffle(range(0))", "seed=tag(a,0)",
    "seed=sort(a,b)", "seed=int(a)", "seed=float(0)", "seed=str(0)", "seed=bool(0)", "seed=nothing(0)", "seed=extend_list(1)",
    "densities=extend_list(0.3)", "densities=0.1,0.2", "densities=range(0,1)", "seed=${seed}", "seed=${a", "seed=${}",
    "seed=${oc.env:NOTHING}", "seed=${oc.create:1}", "seed=${now:%Y}", "seed=\\", "seed=$(date)", "seed=`date`", "seed=0;ls", "seed=0&",
    "seed=#", "seed=%", "seed=@", "seed=*", "seed=?", "seed=!", "seed=1e3", "seed=0x10", "seed=1_0.5", "seed=+1", "seed=--1", "seed=٣",
    "seed=１", "seed=0\n", "seed=0\t1", "seed=\x00", "seéd=0", "s\x1bed=0", "'seed'=0", "seed.=0", ".seed=0", "seed..a=0", "seed.a=0",
    "seed/a=0", "model/=vgg11", "/model=vgg11", "a.b.c.d.e.f=0", "a" * 5000 + "=0", "0=0", "true=0", "null=0", "-", "--", "---", "-x",
    "--nothing", "--seed=0", "--seed", "-seed=0", "--cfg", "--cfg=none", "--cfg=job=1", "--config-dir", "--config-dir=",
    "--config-dir=nowhere", "--config-name", "--config-name=", "--config-name=nothing", "--config-name=../config", "--config-path=conf",
    "--package", "--package=recipe", "--resolve", "--run", "--info=all", "--version=2", "--help=all", "from=a", "from=", "from=[a,b]",
    "from=nowhere", "run", "plan", "train", "help", "config.yaml", "results.jsonl",
]  # fmt: skip
MEANT = {
    "model=vgg_small.yaml": "Hydra takes the name of a file too", "model=./vgg_small": "a path within conf/model",
    "model=../model/vgg_small": "a path within conf/model", "~model.name": "the name is then the component's",
    "--resolve": "it belongs to --cfg and changes nothing alone", "--package=recipe": "it belongs to --cfg and changes nothing alone",
    "--": "nothing follows it", "seed=+1": "a number with its sign", "--config-dir=": "the folder that the command is run in",
    "--info=all": "Hydra's own affair",
}  # fmt: skip


def _of_places() -> Iterator[Line]:
    draw = random.Random(20)
    for place in places():
        slow = place.chosen in SLOW  # and right values are not tried
        for kind in draw.sample(sorted(VALUES.keys() - RIGHT.keys() if slow else VALUES), EACH):
            chosen = (place.chosen,) if place.chosen else ()
            why = f"{place.option} must be {place.words}; {kind}"
            said, right = RIGHT.get(kind, ("", ""))
            accepted = right if re.search(said, place.words) else ""
            yield Line((*chosen, f"{place.option}={VALUES[kind]}"), why, accepted=accepted)


def _of_files() -> Iterator[Line]:
    """The files of each group by a name that is nearly theirs."""
    draw = random.Random(20)
    for group in (*CHOICES, *OTHERS, *SEVERAL):
        for path in draw.sample(paths := sorted((conf_dir() / group).glob("*.yaml")), min(2, len(paths))):
            for name in (path.stem[:-1] + "x", f"{path.stem}s", path.stem.upper() + "1"):
                yield Line((f"{group}={name}",), f"there is no {name} in conf/{group}")


def _of_names() -> Iterator[Line]:
    """The schema's options by a name that is nearly theirs."""
    for name in FIELDS:
        yield Line((f"{name[:-1]}x=0",), f"there is no option {name[:-1]}x")


def lines() -> Iterator[Line]:
    yield from _of_places()
    yield from _of_files()
    yield from _of_names()
    for word in (*NEAR, *SPELLED):
        yield Line((word,), "a name, value or word that there is not", accepted=MEANT.get(word, ""))
