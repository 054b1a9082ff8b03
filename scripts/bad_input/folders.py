"""Folders that are files, devices, loops, somebody else's or gone; and surroundings in which nothing can be kept."""

import contextlib
import os
import pwd
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.bad_input.lines import Line

NOBODY = 65534
LONG = "/".join(["y" * 200] * 30)  # 6,000 characters, each part short enough
WRITTEN = ("results_dir", "report_dir")
READ = {
    "data_dir": ("data_dir={}",), "weights": ("weights={}", "exclude=[classifier]"), "records": ("records=[{}]",),
    "cell": ("cell={}", "format=pt2", "mode=export"),
    "from": ("from=[{}]", "mode=report"), "hydra.searchpath": ("hydra.searchpath=['file://{}']", "recipe=nothing"),
    "--config-dir": ("--config-dir={}", "recipe=nothing"),
}  # fmt: skip
PLACES = {  # what stands in the place of a folder: where, and what is to be made there
    "a file": "{here}/file", "a folder under a file": "{here}/file/below", "a FIFO": "{here}/fifo",
    "a folder under a FIFO": "{here}/fifo/below", "a socket": "{here}/socket", "a link that leads nowhere": "{here}/dangling",
    "a loop of links": "{here}/loop", "a folder in a loop of links": "{here}/loop/below", "/proc": "/proc",
    "a folder that /proc cannot hold": "/proc/nothing", "a process": "/proc/self", "what cannot be listed": "/proc/self/mem",
    "/sys": "/sys/nothing", "/dev/null": "/dev/null", "below /dev/null": "/dev/null/below", "/dev/full": "/dev/full",
    "/dev/zero": "/dev/zero", "/dev/stdin": "/dev/stdin", "a descriptor": "/dev/fd/99", "nothing": "",
    "a path of 6,000 characters": f"{{here}}/{LONG}", "a name of 300 characters": "{here}/" + "z" * 300, "two lines": "'{here}/a\nb'",
    "a null character": "'{here}/a\x00b'", "an escape": "'{here}/a\x1b[31mb'", "bytes that are no UTF-8": "'{here}/\udcff'",
    "a list": "[a]", "a mapping": "{a: 1}", "a number": "5", "a truth": "true", "nothing at all": "null",
    "somebody's home that is not there": "~nobody-of-the-kind/x", "an address": "http://127.0.0.1:9/x",
    "another address": "s3://bucket/x",
}  # fmt: skip
KEPT_FROM = (
    "{here}/locked",
    "{here}/locked/below",
    f"{pwd.getpwuid(0).pw_dir}/nothing",
    "{here}/unreadable",
)  # of another user
FINE = {  # folders that are odd, and right
    "a space": "' '",
    "a relative path with ..": "../here/../here/x", "a name with spaces": "'{here}/a b'", "a name in other letters": "'{here}/é漢'",
    "a name of characters that patterns know": "'{here}/a[1]*?b'", "a name with a quote": "\"{here}/a'b\"",
    "a name with a dash in front": "'-x'", "a name with a dot in front": "'.x'", "two slashes": "'{here}//x//'",
    "a link to a folder": "{here}/link", "a name with an equals sign": "'{here}/a=b'", "a name with a comma": "'{here}/a,b'",
    "a name with a dollar": "'{here}/$HOME'", "a name with percent": "'{here}/%s%n'",
}  # fmt: skip


def lines() -> Iterator[Line]:
    """Folders that are written; those that are read; what others keep; what is gone."""
    for what, place in PLACES.items():
        for option in WRITTEN:
            yield Line((f"{option}={place}",), f"{option} is {what}", before=made)
        for option, words in READ.items():
            accepted = "no others" if (option, what) == ("records", "nothing") else ""
            yield Line(
                tuple(word.replace("{}", place) for word in words),
                f"{option} is {what}",
                before=made,
                accepted=accepted,
            )
    for place in KEPT_FROM:
        for option in WRITTEN:
            yield Line((f"{option}={place}",), f"{option} is another user's", before=made, program=as_nobody)
        for option, words in READ.items():
            given = tuple(word.replace("{}", place) for word in words)
            yield Line(given, f"{option} is another user's", before=made, program=as_nobody)
    for what, place in FINE.items():
        for option in WRITTEN:
            yield Line((f"{option}={place}",), f"{option} is {what}", before=made, accepted="a folder may be called so")
    for one, other in (("results_dir", "data_dir"), ("report_dir", "results_dir"), ("report_dir", "data_dir")):
        yield Line(
            (f"{one}={{here}}/x", f"{other}={{here}}/x"),
            "one folder for two",
            accepted="names of files in it never meet",
        )
    yield Line(("seed=0",), "the working folder is gone", program=in_a_folder_that_is_gone)
    yield Line(("seed=0", "mode=plan"), "the working folder is gone", program=in_a_folder_that_is_gone)
    yield Line(
        ("--help",), "the working folder is gone", program=in_a_folder_that_is_gone, accepted="help needs no folder"
    )
    yield Line(("results_dir={here}/x", "seed=0"), "the working folder is gone", program=in_a_folder_that_is_gone)
    yield Line(("results_dir=x",), "the working folder is another user's", before=made, program=as_nobody)
    yield Line(("data_dir=/proc/nothing", "results_dir={here}/x"), "there is no data, and none can be put there")


def made(here: Path) -> None:
    """What `PLACES` and the others speak of."""
    (here / "file").write_text("x", encoding="utf-8")
    os.mkfifo(here / "fifo")
    with contextlib.chdir(here), socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    (here / "dangling").symlink_to("nowhere")
    (here / "loop").symlink_to("loop")
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    for name, mode in (("locked", 0o555), ("unreadable", 0o000)):
        (here / name).mkdir(mode=mode)
        (here / name).chmod(mode)
    here.chmod(0o755)
    here.parent.chmod(0o755)


def as_nobody(program: Callable[[], object] | None = None) -> None:
    """Another user's command, or program: who runs this may write everywhere."""
    from pruneexp.cli import main

    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    (program or main)()


def in_a_folder_that_is_gone() -> None:
    from pruneexp.cli import main

    shutil.rmtree(os.getcwd())
    main()


def later(*kept: str) -> Callable[[], None]:
    """Without these environment variables, in a Python of its own, which reads them when it starts."""

    def program() -> None:
        for name in kept:
            os.environ.pop(name, None)
        os.execv(sys.executable, [sys.executable, "-m", "pruneexp", *sys.argv[1:]])

    return program
