"""Words that are broken, contradict each other, or ask for what is too much."""

from collections.abc import Iterator

from scripts.bad_input.lines import Line

BROKEN = [  # words that Hydra's grammar does not take, or that name nothing
    "", " ", "=", "==", "=5", "+", "++", "+++x=1", "~", "~~seed", "~nothing", "~recipe.lr", "~masker", "~masker=greedy", "seed",
    "seed==5", "seed=[", "seed=]", "seed={", "seed='", 'seed="', "densities=[0.5", "densities=0.5]", "densities=[[0.5]]",
    "densities=[0.5,,0.1]", "densities={0.5}", "densities=(0.5)", "seed=0;1", "seed=0|1", "seed=0&1", "seed=$(id)", "seed=`id`",
    "seed=0 1", "seed =0", "seed= ", "se ed=0", "sééd=0", "Seed=0", "SEED=0", "seed@x=0", "masker@=greedy", "masker@a.b=greedy",
    "masker@:x=greedy", "/masker=greedy", "masker/=greedy", "masker//x=greedy", "./masker=greedy", "../masker=greedy",
    "masker=../masker/greedy", "masker=/etc/passwd", "masker=greedy.yaml", "masker=GREEDY", "masker=greedy,", "masker=,greedy",
    "masker=,", "masker=[greedy", "masker=", "masker=''", "+masker=greedy", "++masker=greedy", "+seed=1", "+nothing=1", "++nothing=1",
    "+recipe.nothing=1", "++recipe.nothing=1", "recipe.=1", ".recipe=1", "recipe..lr=1", "recipe[lr]=0.1", "recipe.lr.x=0.1",
    "recipe={lr: 0.1}", "recipe=[smoke]", "recipe=null", "seed=0\x00", "seed=\x1b[31m0", "seed=\n0", "masker=greedy\n", "\nmasker=greedy",
    "masker=gre\tedy", "name=\x07", "title='\x1b]0;x\x07'", "masker=\u202egreedy", "masker=gr\u0435edy", "masker=ｇreedy", "seed=٣",
    "seed=²", "seed=1_0", "seed=0x10", "seed=1e2", "seed=+1", "seed=0b1", "seed=true", "seed=yes", "seed=1,", "seed=,", "\udcff=0",
    "seed=\udcff", "ｓeed=0", "\ufeffseed=0",
]  # fmt: skip
SWEEPS = {  # what is swept badly, and why
    "seed=range(0,10**9)": "an expression that no grammar here knows",
    "seed=range(0,1000000000)": "a billion jobs",
    "seed=range(0,4294967295,1)": "four billion jobs",
    "seed=range(5,0)": "an empty sweep",
    "seed=range(0,5,-1)": "an empty sweep",
    "seed=range(0,5,0)": "a step that never ends",
    "seed=range(0.5,2.5)": "seeds that are no whole numbers",
    "seed=range(a,b)": "a range of letters",
    "seed=range()": "a range of nothing",
    "seed=range(0,inf)": "a range without an end",
    "seed=range(0,nan)": "a range of no number",
    "seed=range(0,1e30)": "a range without an end that is ever reached",
    "seed=choice()": "a choice of nothing",
    "seed=choice(choice(1,2),3)": "a choice within a choice",
    "seed=interval(0,1)": "an interval, which has no values",
    "recipe.lr=interval(0.1,0.2)": "an interval, which has no values",
    "seed=sort(a,b)": "letters, sorted",
    "seed=shuffle()": "nothing, shuffled",
    "seed=tag(a,b)": "a tag that is none",
    "seed=glob(*)": "a pattern of seeds",
    "masker=glob(qq*)": "a pattern that no file fits",
    "masker=glob([)": "a broken pattern",
    "masker=glob(*,exclude=*)": "a pattern that leaves nothing",
    "masker=glob()": "no pattern",
    "seed=int(x)": "a cast that fails",
    "seed=str(1)": "text for a number",
    "seed=json_str(1)": "text for a number",
    "seed=float(nan)": "no number",
    "seed=nothing(1)": "a function that there is not",
    "mode=run,plan": "two modes",
    "results_dir=a,b": "two folders",
    "data_dir=a,b": "two folders",
    "name=a,b": "two names",
    "launcher=local,gpus": "two launchers",
    "figure=accuracy,macs": "a sweep of figures",
    "columns=n,accuracy": "a sweep of columns",
    "title=a,b": "two titles",
    "where=a,b": "two comparisons",
    "+experiment=glob(*),nothing": "an experiment that there is not",
    "+experiment=nothing": "an experiment that there is not",
    "experiment=laenen_fig3": "an experiment without a plus",
    "+experiment=[laenen_fig3]": "a list of experiments",
    "+experiment=": "no experiment",
    "+experiment=null": "no experiment",
    "+experiment=../recipe/smoke": "a file that is no experiment",
    "+experiment@x=laenen_fig3": "an experiment put elsewhere",
}
SEVERAL = {  # several words that do not go together
    ("mode=plan", "mode=nothing"): "the last of two modes is none",
    ("seed=0", "~seed"): "given and taken away",
    ("masker=greedy", "~masker"): "chosen and taken away",
    ("+experiment=laenen_fig3", "+experiment=laenen_extreme_tiny"): "two experiments in two words",
    ("+experiment=laenen_fig3,laenen_extreme_tiny", "name=x"): "one name for two experiments",
    ("seed=range(0,1000)", "recipe.lr=range(0.001,1,0.001)", "recipe.epochs=range(1,1000)"): "a billion jobs of three sweeps",
    tuple(f"recipe.lr={k}" for k in range(2000)): "2,000 times the same option, the last beyond what is allowed",
    tuple(f"nothing{k}=1" for k in range(2000)): "2,000 options that there are not",
    ("from=[laenen_fig3]", "mode=run"): "a report that is to be run",
    ("from=[nothing]", "mode=report"): "a report of what is not there",
    ("from=[]", "mode=report"): "a report of nothing",
    ("from=laenen_fig3,laenen_extreme_tiny", "mode=report"): "a sweep of reports",
    ("from={a: 1}", "mode=report"): "a mapping of reports",
    ("from=[1]", "mode=report"): "a number for an experiment",
    ("from=[laenen_fig3]", "+experiment=laenen_fig3", "mode=report"): "experiments named twice",
    ("from=[''", "mode=report"): "a list that nothing closes",
    ("from=['']", "mode=report"): "an experiment without a name",
    ("from=['a\nb']", "mode=report"): "an experiment of two lines",
    (f"from=[{'x' * 5000}]", "mode=report"): "an experiment of 5,000 letters",
    ("invert=maybe",): "an earlier option's value that it never had",
    ("topology=",): "an earlier option without a value",
    ("treatment=shuffle", "shuffle=false"): "switched on and off",
    ("repair=paths,none",): "an earlier option swept",
    ("figures=[nothing]",): "an earlier name of figure, of a file that there is not",
    ("+treatment@treatment.seed=shuffle",): "a treatment under the name of an option",
    ("+treatment@treatment.=shuffle",): "a treatment under no name",
    ("+treatment@=shuffle",): "a treatment under no name",
    ("+treatment@recipe.lr=shuffle",): "a treatment in the place of a number",
    ("+dataset@model=digits",): "a data set in the place of a network",
}  # fmt: skip
TOO_MUCH = {
    ("seed=" + "9" * 100_000,): "a number of 100,000 digits",
    ("name=" + "x" * 1_000_000,): "a word of a megabyte",
    ("seed=" + ",".join(map(str, range(150_000))),): "150,000 seeds",
    ("densities=[" + ",".join(["0.5"] * 50_000) + "]",): "50,000 densities of the same value",
    ("densities=" + "[" * 2000 + "]" * 2000,): "a list in lists, 2,000 deep",
    ("recipe.lr=" + "{a:" * 500 + "1" + "}" * 500,): "a mapping in mappings, 500 deep",
    ("masker=" + "a/" * 5000 + "b",): "a file 5,000 folders deep",
    ("recipe." + "a." * 5000 + "b=1",): "an option 5,000 nodes deep",
    tuple(["-m"] * 5000 + ["seed=x"]): "5,000 times the same flag",
    ("~" * 100_000,): "100,000 tildes",
    ("'" * 99_999,): "99,999 quotes",
    ("seed='" + "\\" * 50_001 + "'",): "50,001 backslashes",
    ("where=" + "'" + "(" * 500 + "'",): "500 brackets that nothing closes",
    ("where='" + "not " * 500 + "True'",): "500 times not",
}  # fmt: skip
INTERPOLATED = [
    "seed=${nothing}", "seed=${seed}", "seed=${recipe.lr}", "name=${title}", "title='${name}${title}'", "results_dir=${report_dir}",
    "results_dir='${report_dir}'", "report_dir='${report_dir}/x'", "seed='${oc.env:NOTHING_OF_THE_KIND}'", "seed=${oc.env:NOTHING}",
    "name='${oc.env:NOTHING_OF_THE_KIND,???}'", "seed='${oc.decode:\"[1\"}'", "seed='${oc.decode:x}'", "seed='${nothing:1}'",
    "seed='${oc.create:{a:1}}'", "seed='${oc.select:nothing}'", "seed='${'", "seed='${}'", "seed='${.}'", "seed='${..}'",
    "seed='${...seed}'", "recipe.lr='${recipe.lr}'", "recipe.lr='${recipe}'", "recipe.epochs='${recipe.epochs}'", "recipe='${dataset}'",
    "densities='${densities}'", "densities=['${seed}']", "name='${hydra:job.name}'", "name='${hydra:runtime.nothing}'",
    "name='${now:%Y}'", "name='${python_version:x}'", "name='${name}'", "logger.project='${oc.env:HOME}'", "data_dir=???",
    "masker='${scorer}'", "recipe.lr=???", "results_dir='${oc.dict.keys:recipe}'", "seed='${oc.env:PATH}'", "seed='${" * 300,
]  # fmt: skip
DASHES = [  # of Hydra's earlier versions, near misses, and what lacks its value
    "--multi", "--multirn", "--config-dirs=x", "--config", "--config-path=x", "-cp", "--run", "-r", "-x", "--", "---", "-",
    "--experimental-rerun=x", "--cfg", "--cfg=nothing", "--cfg job extra", "-c", "-c=", "--package", "-p", "--resolve=1", "--version=2",
    "--help=me", "--hydra_help", "--seed=0", "-seed=0", "--masker", "--config-dir", "-cd", "--config-name", "-cn",
    "--config-name=nothing", "--config-name=", "-cn=../x", "--config-name=/etc/passwd", "--config-name=options", "--config-name=config/",
    "--config-name=recipe/smoke", "--config-dir=nowhere", "--config-dir=", "--config-dir=/dev/null", "--config-dir=/dev/full",
    "--config-dir=a\nb", "--config-dir=\x00", "--config-name=\x00", f"--config-dir={'x' * 5000}",
    f"--config-name={'x' * 5000}",
    "--info", "--info=nothing", "--info=all extra", "--hydra-help=x", "-sc", "--shell-completion", "-sc=install",
    "-sc install=tcsh", "-sc query=bash", "--verbose", "--debug", "--quiet", "--dry-run", "--no-multirun", "--resume", "-h=1", "--h", "-mm",
    "—help", "–m", "--cfg=job --package=nothing", "--cfg=job --package=..", "--cfg=job seed=x", "--cfg=job ~masker", "--cfg=hydra -p job",
]  # fmt: skip
MEANS = {  # of those above that are right to be taken, why
    "seed=1_0": "Hydra reads numbers as Python writes them: 10",
    "seed=+1": "Hydra reads numbers as Python writes them: 1",
    "recipe.lr=0": "of 2,000 the last counts, as everywhere",
    "repair=paths,none": "an earlier option may be swept as the choice that it is",
    "name=${title}": "an option that there is",
    "name='${now:%Y}'": "Hydra's resolver of the time",
    "--": "behind it words may begin with a dash, as everywhere",
    "--cfg=job seed=x": "it shows what is composed; values are checked when they are used",
    "-mm": "-m twice",
    "--info": "Hydra tells of itself",
}


def lines() -> Iterator[Line]:
    for word in BROKEN:
        yield Line((word,), "broken", accepted=MEANS.get(word, ""))
    for word, why in SWEEPS.items():
        yield Line((word,), why)
    for words, why in {**SEVERAL, **TOO_MUCH}.items():
        yield Line(words, why, accepted=MEANS.get(words[0], ""))
    for word in INTERPOLATED:
        why = "an interpolation that cannot be resolved, or is nothing to resolve"
        yield Line((word,), why, accepted=MEANS.get(word, ""))
    for word in DASHES:
        why, accepted = "a word with dashes that means nothing here", MEANS.get(word, "")
        yield Line(tuple(word.split(" ")), why, accepted=accepted)
