"""Variables, descriptors and limits that a process is started with; most are read when Python, or a library, starts."""

import os
import resource
import sys
from collections.abc import Callable, Iterator

from pruneexp.system.surroundings import RANKS
from scripts.bad_input.folders import as_nobody
from scripts.bad_input.lines import Line

Program = Callable[[], object]
WRONG = ("recipe.lr=-1",)  # something to be refused, whatever surrounds it
SMALL = ("results_dir={here}/x",)
VARIABLES = {  # values that libraries take for nothing, or for their own default
    "OMP_NUM_THREADS": ("abc", "0", "-1", "", "1.5"), "MKL_NUM_THREADS": ("abc", "0", "-1"), "OPENBLAS_NUM_THREADS": ("abc", "0", "-1"),
    "NUMBA_NUM_THREADS": ("abc", "0"), "OMP_WAIT_POLICY": ("nonsense",), "GOMP_SPINCOUNT": ("nonsense", "-1"),
    "KMP_AFFINITY": ("nonsense",), "OMP_PROC_BIND": ("nonsense",), "LC_ALL": ("C", "POSIX", "nonsense", "de_DE.UTF-8"),
    "LANG": ("", "nonsense"), "LANGUAGE": ("nonsense",), "COLUMNS": ("0", "abc", "-1", "1", "100000"), "LINES": ("abc",),
    "TERM": ("dumb", "nonsense", ""), "NO_COLOR": ("1",), "FORCE_COLOR": ("1",), "PYTHONIOENCODING": ("ascii", "latin-1"),
    "PYTHONUTF8": ("0", "1"), "CUDA_VISIBLE_DEVICES": ("abc", "99", "-1", ""), "MPLBACKEND": ("nonsense", "TkAgg", ""),
    "MPLCONFIGDIR": ("/proc/nothing", "/dev/null"), "NUMBA_CACHE_DIR": ("/proc/nothing",), "SLURM_JOB_ID": ("abc",),
    "SLURM_NTASKS": ("abc", "4"), "SLURM_PROCID": ("1",), "SLURM_CPUS_PER_TASK": ("abc",), "RANK": ("abc", "1"),
    "LOCAL_RANK": ("abc", "1"), "WORLD_SIZE": ("abc", "2"), "MASTER_ADDR": ("nonsense",), "MASTER_PORT": ("abc",),
    "HOME": ("/proc/nothing", "", "relative"), "TMPDIR": ("/proc/nothing", "/dev/null", ""), "XDG_CACHE_HOME": ("/proc/nothing",),
    "TORCH_HOME": ("/proc/nothing",), "USER": ("", "a/b"), "HYDRA_FULL_ERROR": ("1",),
    "PYTHONDONTWRITEBYTECODE": ("1",), "PYTHONUNBUFFERED": ("1",), "PATH": ("", "/nowhere"), "TZ": ("nonsense",),
    "DISPLAY": ("nonsense",), "PRUNEEXP_COMMIT": ("abc",), "CUBLAS_WORKSPACE_CONFIG": ("nonsense",),
    "PYTORCH_CUDA_ALLOC_CONF": ("nonsense",), "http_proxy": ("nonsense",), "LD_PRELOAD": ("",), "PYTHONSAFEPATH": ("1",),
    "PL_GLOBAL_SEED": ("abc",), "GIT_DIR": ("/nowhere",),
}  # fmt: skip
WITHOUT = ("HOME", "LANG", "LC_ALL", "PATH", "TERM", "USER", "TMPDIR", "COLUMNS")
HARMLESS = "it changes neither what is trained nor what is said of it"


def lines() -> Iterator[Line]:
    """In a Python of their own: what is refused, and the smallest sweep, with each variable; then descriptors and limits."""
    for variable, values in VARIABLES.items():
        for k, value in enumerate(values):
            yield Line(
                WRONG,
                f"{variable} is {value!r}, and an option is wrong",
                env={variable: value},
                program=in_a_new_python(),
            )
            if k == 0 and variable not in RANKS:
                yield Line(
                    SMALL,
                    f"{variable} is {value!r}",
                    env={variable: value},
                    program=in_a_new_python(),
                    accepted=HARMLESS,
                )
    for variable in WITHOUT:
        yield Line(WRONG, f"no {variable}, and an option is wrong", program=in_a_new_python(without=variable))
    yield Line(SMALL, "no HOME", program=in_a_new_python(without="HOME"), accepted=HARMLESS)
    for number, name in enumerate(("input", "output", "errors")):
        yield Line(
            WRONG,
            f"standard {name} is closed, and an option is wrong",
            program=without_descriptor(number),
            accepted=UNSAID if number == 2 else "",
        )
        yield Line(SMALL, f"standard {name} is closed", program=without_descriptor(number), accepted=HARMLESS)
    yield Line(("--help",), "standard output is closed", program=without_descriptor(1), accepted=HARMLESS)
    yield Line(
        SMALL,
        "standard output has no room",
        program=to_a_full_disk,
        accepted="what it says is lost, what it makes is not",
    )
    yield Line(("--help",), "standard output has no room", program=to_a_full_disk, accepted="what it says is lost")
    yield Line(("--help",), "nobody reads standard output", program=to_nobody)
    yield Line(("mode=plan",), "nobody reads standard output", program=to_nobody)
    yield Line(SMALL, "nobody reads standard output", program=to_nobody, accepted=KEPT)
    for files in (12, 20, 40, 64):
        yield Line(
            SMALL, f"{files} open files at most", program=limited(resource.RLIMIT_NOFILE, files), accepted=HARMLESS
        )
    for processes in (1, 3):
        yield Line(
            SMALL,
            f"{processes} processes at most",
            program=limited(resource.RLIMIT_NPROC, processes),
            accepted=HARMLESS,
        )
    yield Line(SMALL, "files of 1,000 bytes at most", program=limited(resource.RLIMIT_FSIZE, 1000), accepted=KEPT)
    yield Line(SMALL, "a stack of 256 kB", program=limited(resource.RLIMIT_STACK, 1 << 18), accepted=HARMLESS)
    yield Line(("results_dir={here}/x",), "another user's folder", program=as_nobody)


KEPT = "it is told when it is met, and what is made before is kept"
UNSAID = "nobody can be told"


def in_a_new_python(without: str = "") -> Program:
    """In place of this process, so that what is read at the start is read; without a variable."""

    def program() -> None:
        os.environ.pop(without, None)
        os.execv(sys.executable, [sys.executable, "-m", "pruneexp", *sys.argv[1:]])

    return program


def without_descriptor(number: int) -> Program:
    def program() -> None:
        os.close(number)
        in_a_new_python()()

    return program


def to_a_full_disk() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    in_a_new_python()()


def to_nobody() -> None:
    """As ``| true``."""
    read, write = os.pipe()
    os.close(read)
    os.dup2(write, 1)
    in_a_new_python()()


def limited(kind: int, most: int) -> Program:
    def program() -> None:
        resource.setrlimit(kind, (most, most))
        in_a_new_python()()

    return program
