"""Where curves go, typed wrong; what W&B's own words in the environment may be."""

from collections.abc import Iterator
from pathlib import Path

from scripts.bad_input.lines import Line

LOGGERS = (
    "nothing",
    "WANDB",
    "csv,wandb",
    "[csv]",
    "[csv,wandb]",
    "null",
    "",
    "''",
    "5",
    "true",
    "{name: csv}",
    "wandb.yaml",
    "../logger/csv",
    "mlflow",
)
PROJECTS = (
    "a/b", "a\\\\b", "''", "'a\nb'", "'\x1b[31m'", "'a\tb'", "a#b", "'a?b'", "a%b", "'a:b'", ".a", "..", "x" * 129, "x" * 300, "null",
    "5", "true", "[a]", "{a: 1}", "'\x00'", "'\x7f'", "'\u202eab'", "'\u200b'", "' '", "' a'", "'\udcff'", "https://wandb.ai/me/x",
)  # fmt: skip
FINE = {"a-b_c.d": "letters that W&B takes", "'a b'": "W&B takes blanks", "é漢": "W&B takes other letters"}
OPTIONS = (
    "entity=me",
    "name=wandb2",
    "name=null",
    "name=[csv]",
    "mode=offline",
    "save_dir=x",
    "version=1",
    "log_model=true",
    "offline=true",
    "api_key=x",
    "projects=x",
)
WANDB = {  # variables, and what is wrong with them
    "WANDB_MODE": ("nonsense", "online", "disabled", "", "OFFLINE", "dryrun", "shared"),
    "WANDB_DISABLED": ("nonsense", "true", "false", ""),
    "WANDB_BASE_URL": ("not a url", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", ""),
    "WANDB_API_KEY": ("short", "", "x" * 300, "a b"), "WANDB_DIR": ("/proc/nothing", "/dev/null", "{here}/nowhere", ""),
    "WANDB_PROJECT": ("a/b", ""), "WANDB_ENTITY": ("a/b", ""), "WANDB_RUN_ID": ("a/b", ""), "WANDB_NAME": ("a\nb", ""),
    "WANDB_SILENT": ("nonsense",), "WANDB_CONSOLE": ("nonsense",), "WANDB_CACHE_DIR": ("/proc/nothing",),
    "WANDB_CONFIG_DIR": ("/proc/nothing",), "WANDB_START_METHOD": ("nonsense",), "WANDB_RESUME": ("nonsense",),
    "WANDB_TAGS": ("x" * 300,), "WANDB_INIT_TIMEOUT": ("nonsense",), "WANDB__SERVICE_WAIT": ("nonsense",),
    "WANDB_DATA_DIR": ("/proc/nothing",),
}  # fmt: skip
TRACKED = "a tracker that cannot be reached or is told something odd never holds up training"


def lines() -> Iterator[Line]:
    """Loggers, their options, W&B's projects and variables."""
    for name in LOGGERS:
        accepted = "the cells are the same, and made once" if name == "csv,wandb" else ""
        yield Line((f"logger={name}",), "a logger that is none", env=OFFLINE, accepted=accepted)
        if not name.startswith(("{", "[")) and "," not in name and name != "csv":
            yield Line(("logger=csv", f"logger.name={name}"), "a logger that is none")
    for name in PROJECTS:
        yield Line(("logger=wandb", f"logger.project={name}"), "a project that W&B refuses")
    for option in OPTIONS:
        for logger in ("wandb", "csv", "none"):
            yield Line((f"logger={logger}", f"logger.{option}"), "an option that loggers have not")
    yield Line(
        ("logger=csv", "results_dir={here}/x"),
        "curves in the place of a file",
        before=in_the_way("csv"),
        accepted=TRACKED,
    )
    yield Line(
        ("logger=tensorboard", "results_dir={here}/x"),
        "curves in the place of a file",
        before=in_the_way("tensorboard"),
        accepted=TRACKED,
    )
    yield Line(
        ("logger=wandb", "results_dir={here}/x"),
        "curves in the place of a file",
        before=in_the_way("wandb"),
        env=OFFLINE,
        accepted=TRACKED,
    )
    for project, why in FINE.items():
        yield Line(("logger=wandb", f"logger.project={project}"), "an odd project", env=OFFLINE, accepted=why)
    for variable, values in WANDB.items():
        for value in values:
            env = OFFLINE | {variable: value}
            yield Line(("logger=wandb",), f"{variable} is {value[:20]!r}", env=env, accepted=TRACKED)


OFFLINE = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": "{here}"}


def in_the_way(name: str) -> "_InTheWay":
    return _InTheWay(name)


class _InTheWay:
    """Makes a file where a logger has its folder."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, here: Path) -> None:
        (here / "x" / "logs").mkdir(parents=True)
        for folder in (here / "x", here / "x" / "logs"):
            (folder / self.name).write_text("x", encoding="utf-8")
