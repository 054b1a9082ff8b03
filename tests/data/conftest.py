"""No test downloads anything."""

import urllib.error
import urllib.request

import pytest

from pruneexp.data import official


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object, **options: object) -> None:
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refused)


@pytest.fixture
def small_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives that tests write in the official layout are taken for the official ones, whose MD5s they cannot have."""
    monkeypatch.setattr(official, "check_md5", lambda path, md5, remedy: None)
