"""W&B is asked once whether it takes runs from here; whatever is wrong with key or server is a sentence, and soon."""

import importlib.util
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from pruneexp.errors import UserError
from pruneexp.system import tracking
from pruneexp.system.tracking import MODE, asking, mode
from pruneexp.training import wandb_run

pytestmark = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")

KEY = "k" * 40
USER = {"id": "VXNlcjox", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}, "admin": False}
Serve = Callable[[str], str]


class Handler(BaseHTTPRequestHandler):
    """W&B's server in one of its states; what it cannot do it says in its answer."""

    state, over = "", Event()

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.state == "hangs":
            self.over.wait(10)
        elif self.state == "breaks off":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"da')
        else:
            code = {"refuses": 401, "fails": 500}.get(self.state, 200)
            body = json.dumps({"data": {"viewer": USER}} if code == 200 else {"errors": [{"message": self.state}]})
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """``serve(state)`` starts W&B's server; its name. Nothing of this machine's user is configured, but a key."""
    for name in [*os.environ]:
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    for name, value in {"HOME": tmp_path, "NETRC": tmp_path / "netrc", "WANDB_API_KEY": KEY}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setattr(tracking, "SECONDS", 1)
    monkeypatch.setattr(wandb_run, "GRACE", 0.1)
    servers = []
    over = Event()

    def start(state: str) -> str:
        kind = type("Kind", (Handler,), {"state": state, "over": over})
        servers.append(server := ThreadingHTTPServer(("127.0.0.1", 0), kind))
        server.daemon_threads, server.block_on_close = True, False
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        name = f"127.0.0.1:{server.server_port}"
        monkeypatch.setenv("WANDB_BASE_URL", f"http://{name}")
        return name

    yield start
    over.set()
    for server in servers:
        server.shutdown()
        server.server_close()
    wandb_run.abandon()


@pytest.mark.parametrize(
    ("state", "word"),
    [("refuses", "refuses"), ("fails", "within 1 seconds"), ("hangs", "within 1 seconds"), ("breaks off", "EOF")],
)
def test_a_server_that_is_of_no_use_is_named_with_what_is_wrong(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, state: str, word: str
) -> None:
    name, limit = (
        serve(state),
        1 if word == "within 1 seconds" else 20,
    )  # others answer at once, if the machine lets them
    monkeypatch.setattr("pruneexp.system.tracking.SECONDS", limit)
    begin = time.monotonic()
    found, why = mode()
    assert found == "offline"
    assert name in why
    assert word in why
    assert "\n" not in why
    assert time.monotonic() - begin < limit + 3


def test_a_server_that_nobody_runs(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # a port on which no one listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        found, why = mode()
    assert found == "offline"
    assert "does not answer" in why


def test_a_key_that_cannot_be_one_needs_no_server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve("hangs")
    monkeypatch.setenv("WANDB_API_KEY", "short")
    begin = time.monotonic()
    found, why = mode()
    assert (found, "40" in why) == ("offline", True)
    assert time.monotonic() - begin < 0.9


def test_no_key_is_no_trouble(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve("hangs")
    monkeypatch.delenv("WANDB_API_KEY")
    assert mode() == ("offline", "")


def test_the_key_of_ones_own_server_is_found_where_wandb_login_puts_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    name = serve("works")
    (tmp_path / "netrc").write_text(f"machine {name}\n  login user\n  password {KEY}\n", encoding="utf-8")
    (tmp_path / "netrc").chmod(0o600)
    assert mode() == ("online", "")


@pytest.mark.parametrize(
    ("name", "value", "word"), [("WANDB_BASE_URL", "no address", "valid URL"), ("WANDB_MODE", "nonsense", "'offline'")]
)
def test_settings_that_make_no_sense_are_said_before_anything_runs(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, word: str
) -> None:
    monkeypatch.setenv(name, value)
    found, why = mode()
    assert found == tracking.WRONG
    assert f"({name}) is {value!r}, and W&B says: " in why
    assert word in why
    monkeypatch.setattr(tracking, "_answer", lambda process: (found, why))
    with pytest.raises(UserError, match=f"{name}.*logger=csv"), asking(wanted=True) as answered:
        answered(tmp_path)
    assert os.environ[name] == value


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has never used W&B."""
    for name in [*os.environ]:
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("there", ["", "machine github.com login me password secret\n"])
def test_where_nobody_has_logged_in_nothing_is_asked(
    nothing_set: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    if there:
        (tmp_path / ".netrc").write_text(there, encoding="utf-8")
        (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setattr("subprocess.Popen", None)
    with asking(wanted=True) as answered:
        answered(tmp_path)
        assert os.environ[MODE] == "offline"
    assert MODE not in os.environ


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".netrc", f"machine api.wandb.ai login user password {KEY}\n"),
        ("_netrc", f"default login user password {KEY}\n"),
        (".netrc", "machine\n"),
        (".config/wandb/settings", "[default]\nbase_url = https://own.example\n"),
        ("wandb/settings", "[default]\nmode = disabled\n"),
    ],
)
def test_where_somebody_may_have_logged_in_wandb_is_asked(
    nothing_set: None, tmp_path: Path, file: str, content: str
) -> None:
    assert not tracking._anything_set()
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content, encoding="utf-8")
    (tmp_path / file).chmod(0o600)
    assert tracking._anything_set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("WANDB_API_KEY", True), ("WANDB_BASE_URL", True), ("WANDB_CONFIG_DIR", True), ("WANDB_DIR", False)],
)
def test_a_variable_that_could_name_a_key_or_server_has_wandb_asked(
    nothing_set: None, monkeypatch: pytest.MonkeyPatch, name: str, expected: bool
) -> None:
    monkeypatch.setenv(name, "x")
    assert tracking._anything_set() == expected


def test_a_sweep_asks_by_a_process_and_leaves_the_environment_as_it_was(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve("hangs")
    monkeypatch.setenv("WANDB_API_KEY", "short")
    with asking(wanted=True) as answered:
        assert MODE not in os.environ
        answered(tmp_path)
        assert os.environ[MODE] == "offline"
    assert MODE not in os.environ
    (sentence,) = capsys.readouterr().out.splitlines()
    assert sentence.startswith("logger=wandb: W&B cannot be reached (")
    assert sentence.endswith(f"the runs are kept offline under {tmp_path}/wandb; `wandb sync` sends them later.")


@pytest.mark.parametrize(
    ("variables", "wanted", "expected"),
    [
        ({MODE: "offline"}, True, "offline"),
        ({MODE: "disabled"}, True, "disabled"),
        ({"WANDB_DISABLED": "true"}, True, "disabled"),
        ({"WANDB_DISABLED": "false", MODE: "dryrun"}, True, "dryrun"),
        ({}, False, None),
    ],
)
def test_where_the_user_or_no_logger_wants_it_nobody_is_asked(
    variables: dict[str, str], wanted: bool, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*os.environ]:
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("subprocess.Popen", None)
    with asking(wanted) as answered:
        answered(Path())
        assert os.environ.get(MODE) == expected
    assert os.environ.get(MODE) == variables.get(MODE)
