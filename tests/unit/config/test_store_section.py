from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from edgeflow.artifact.tiers import environment
from edgeflow.config.store import Store


@pytest.mark.parametrize(
    "url",
    [
        "file:///mnt/share",
        "s3://bucket",
        "s3://my-bucket.eu/some/prefix",
        "sftp://host/srv/store",
        "sftp://me@host.local:2222/srv/store",
    ],
)
def test_a_remote_store(url: str) -> None:
    assert Store(remote=url, push=True).remote == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/mnt/share",
        "file://host/share",
        "s3://key:secret@bucket/prefix",
        "s3://bucket/prefix?endpoint_url=http://evil",
        "sftp://me:password@host/srv",
        "sftp://host",
        "http://host/store",
        "simplecache::s3://bucket",
        "file:///a\nb?",
    ],
)
def test_what_is_no_remote_store_or_has_a_secret_in_it(url: str) -> None:
    with pytest.raises(ValidationError):
        Store(remote=url)


def test_a_secret_in_a_refused_store_is_not_shown(
    good: dict[str, Any], problems: Callable[[object], dict[str, str]]
) -> None:
    for url in ("s3://key:hunter2@bucket", "s3://b?key=hunter2", "sftp://me:hunter2@host/x"):
        good["store"] = {"remote": url}
        found = problems(good)
        assert list(found) == ["store.remote"]
        assert "hunter2" not in str(found)
        with pytest.raises(ValidationError) as caught:
            Store(remote=url)
        assert "hunter2" not in str(caught.value)


def test_steps_get_it_by_their_environment() -> None:
    assert environment(Store(path="/cache")) == {
        "EDGEFLOW_STORE": "/cache/store",
        "EDGEFLOW_TOOLCHAINS": "/cache/toolchains",
        "EDGEFLOW_STORE_REMOTE": "",
        "EDGEFLOW_STORE_PUSH": "false",
    }
    shared = environment(Store(path="/cache", remote="s3://bucket", push=True))
    assert shared["EDGEFLOW_STORE_REMOTE"] == "s3://bucket"
    assert shared["EDGEFLOW_STORE_PUSH"] == "true"
