"""The service on the device: real processes over its socket, with an engine of numpy alone."""

import hashlib
import http.client
import io
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.ondevice.agent.served import not_served
from edgeflow.ondevice.client import BusyError, Client, ServiceError
from edgeflow.ondevice.client import npy as npy_of
from tests.unit.service.releases import (
    CRASH,
    GROW,
    HANG,
    NAN,
    RAISE,
    SHAPE,
    label_of,
    make_release,
    serve,
    service,
    switch,
)

SAMPLE = np.full(SHAPE, 102, np.uint8)
REQUESTS = 1000 if os.environ.get("EDGEFLOW_SWEEP") else 300


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    folder = tmp_path / ("a folder of a long name, " * 5) / "tiny"
    folder.mkdir(parents=True)
    return folder


def starting_with(value: int) -> Any:
    sample = SAMPLE.copy()
    sample[0, 0, 0] = value
    return sample


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def serves(client: Client, name: str) -> bool:
    return bool(client.health()["release"] == name)


def post(client: Client, path: str, body: bytes, kind: str, **headers: str) -> Any:
    connection = client._connection
    connection.request("POST", path, body, {"Content-Type": kind, **headers})
    response = connection.getresponse()
    return response, response.read()


def test_ten_switches_under_load_lose_no_request(model_dir: Path) -> None:
    releases = {make_release(model_dir, number): number for number in range(4)}
    names = list(releases)
    switch(model_dir, names[0])
    answers: list[dict[str, Any]] = []
    switched = threading.Event()

    def ask() -> None:
        with Client(str(model_dir)) as own:
            answers.extend(own.infer(SAMPLE) for _ in range(REQUESTS // 3))
            while not switched.is_set():
                answers.append(own.infer(SAMPLE))

    with service(model_dir) as client:
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(1, 11):  # forwards, and back: a rollback is a switch
            name = names[turn % 4] if turn % 3 else names[0]
            switch(model_dir, name)
            until(partial(serves, client, name))
            assert client.infer(SAMPLE)["release"] == name
        switched.set()
        for thread in threads:
            thread.join()
        health = client.health()
    assert len(answers) >= REQUESTS
    assert all(answer["label"] == label_of(releases[answer["release"]]) for answer in answers)
    assert {answer["release"] for answer in answers} == set(names)
    assert (health["busy"], health["restarts"], health["fault"]) == (0, 0, None)
    assert health["answered"] == len(answers) + 10


def test_what_it_says(model_dir: Path) -> None:
    name = make_release(model_dir, 1)
    switch(model_dir, name)
    with service(model_dir) as client:
        path = model_dir / "run/service.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert client.labels() == ["a of 1", "b of 1", "c of 1"]
        assert client.version() == {
            "release": name,
            "model": "tiny",
            "recipe": "fp32",
            "task": "classification",
            "engine": "fake 1",
            "inputs": [{"name": "input", "shape": list(SHAPE), "dtype": "uint8"}],
        }
        health = client.health()
        assert (health["release"], health["current"], health["ready"]) == (name, name, True)
        first = client.infer(SAMPLE)
        assert first["label"] == "b of 1"
        assert sum(first["probabilities"].values()) == pytest.approx(1)
        # A camera's frame of another size; and the same sample as JSON.
        assert client.infer(np.full((9, 7, 3), 102, np.uint8), recorded=True)["label"] == "b of 1"
        text = json.dumps({"inputs": SAMPLE.tolist()}).encode()
        response, body = post(client, "/infer", text, "application/json")
        assert json.loads(body)["probabilities"] == first["probabilities"]
        response, body = post(
            client, "/infer", npy_of(SAMPLE), "application/x-npy", Accept="application/x-npy"
        )
        np.testing.assert_allclose(np.load(io.BytesIO(body)), [0, 1.4, 0], rtol=1e-6)
        assert response.headers["X-Edgeflow-Release"] == name
        assert serve(model_dir, "start")["pid"] == health["pid"], "it runs already"
    assert not path.exists()
    ended = serve(model_dir, "health")
    assert ended == {"running": False, "failed": False, "detail": "it was stopped"}
    left = {path.name for path in (model_dir / "releases" / name).iterdir()}
    assert "__pycache__" not in left, "more files would damage the release"


BAD = [
    (b"", "application/x-npy", 400),
    (b"\x93NUMPY", "application/x-npy", 400),
    (npy_of(SAMPLE)[:-1], "application/x-npy", 400),
    (npy_of(SAMPLE) * 2, "application/x-npy", 400),
    (npy_of(SAMPLE[:3]), "application/x-npy", 400),
    (npy_of(np.full(SHAPE, 0.5, np.float32)), "application/x-npy", 400),
    (npy_of(np.full(SHAPE, np.nan, np.float32)), "application/x-npy", 400),
    (npy_of(SAMPLE).replace(b"(4, 4, 1)", b"(9**9**9)"), "application/x-npy", 400),
    (npy_of(SAMPLE).replace(b"(4, 4, 1)", b"(-4,-4,1)"), "application/x-npy", 400),
    (npy_of(SAMPLE).replace(b"|u1", b"|O1"), "application/x-npy", 400),
    (b'{"inputs": [[1, 2], [3]]}', "application/json", 400),
    (b'{"inputs": "text"}', "application/json", 400),
    (b'{"inputs": {"other": []}}', "application/json", 400),
    (b'{"inputs": ' + b"[" * 90_000, "application/json", 400),
    (b"[1]", "application/json", 400),
    (b"\xff", "application/json", 400),
    (npy_of(SAMPLE), "text/plain", 415),
    (b"0" * 5_000_000, "application/json", 413),
]


def test_malformed_requests_are_refused(model_dir: Path) -> None:
    switch(model_dir, make_release(model_dir, 1))
    with service(model_dir, request_mb=0.1) as client:
        found = []
        for body, kind, _ in BAD:
            with Client(str(model_dir)) as own:
                response, answer = post(own, "/infer", body, kind)
                found.append(response.status)
                assert json.loads(answer)["error"] == "malformed"
        assert found == [status for _, _, status in BAD]
        assert post(client, "/infer?color=1", b"{}", "application/json")[0].status == 400
        assert post(client, "/other", b"{}", "application/json")[0].status == 404
        assert post(client, "/infer?note=" + "n" * 501, b"{}", "application/json")[0].status == 400
        with Client(str(model_dir)) as own:
            response, answer = post(own, "/infer?note=" + "n" * 70_000, b"", "application/json")
            assert (response.status, json.loads(answer)["error"]) == (414, "malformed")
        wrong: list[Any] = [[0, 12], "text", None, np.zeros(SHAPE, np.int64)]
        for given in wrong:
            with pytest.raises(ServiceError, match="malformed: an (input is|array of)"):
                client.infer(given)
        long: list[Any] = ["n" * 501, "n" * 100_000, None, 5]
        for note in long:
            with pytest.raises(ServiceError, match="of 500 characters at most"):
                client.infer(SAMPLE, note=note)
        with pytest.raises(ServiceError, match="a sample like that"):
            client.infer(starting_with(RAISE))
        with pytest.raises(ServiceError, match="no number"):
            client.infer(starting_with(NAN))
        assert client.infer(SAMPLE)["label"] == "b of 1"
        assert client.health()["restarts"] == 0


def test_a_full_queue_answers_busy_at_once(model_dir: Path) -> None:
    switch(model_dir, make_release(model_dir, 1, takes_s=0.3))
    answers: list[str] = []

    def ask() -> None:
        with Client(str(model_dir)) as own:
            try:
                answers.append(own.infer(SAMPLE)["label"])
            except BusyError as error:
                answers.append(error.kind)

    with service(model_dir, queue=2) as client:
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        busy = client.health()["busy"]
    assert busy > 0
    assert sorted(answers) == ["b of 1"] * (6 - busy) + ["busy"] * busy


@pytest.mark.parametrize(
    ("value", "options", "kind", "fault"),
    [
        (CRASH, {}, "worker died", "exit code 3.: out of luck"),
        (HANG, {"time_limit_s": 0.5}, "timeout", "no answer within 0.5 s"),
        (GROW, {"memory_limit_mb": 250}, "worker died", "more than 250 MB"),
    ],
)
def test_a_worker_that_misbehaves_is_replaced(
    model_dir: Path, value: int, options: dict[str, Any], kind: str, fault: str
) -> None:
    switch(model_dir, make_release(model_dir, 1))
    with service(model_dir, **options) as client:
        with pytest.raises(ServiceError, match=fault) as caught:
            client.infer(starting_with(value))
        assert caught.value.kind == kind
        until(lambda: client.health()["ready"])
        assert client.infer(SAMPLE)["label"] == "b of 1"
        assert client.health()["restarts"] == 1


def test_a_release_that_does_not_start_leaves_the_old_one(model_dir: Path) -> None:
    good, bad = make_release(model_dir, 1), make_release(model_dir, 2, fails="wrong chip")
    switch(model_dir, good)
    with service(model_dir) as client:
        switch(model_dir, bad)
        until(lambda: client.health()["fault"] is not None)
        health = client.health()
        assert f"release {bad[:12]} does not start: RuntimeError: wrong chip" in health["fault"]
        assert (health["current"], health["release"]) == (bad, good)
        with pytest.raises(ServiceError, match="out of luck"):
            client.infer(starting_with(CRASH))
        assert client.infer(SAMPLE)["release"] == good, "the last good one serves again"
        switch(model_dir, good)
        until(lambda: client.health()["current"] == good)
        switch(model_dir, None)
        until(lambda: not client.health()["ready"])
        with pytest.raises(BusyError, match="no release"):
            client.infer(SAMPLE)


def test_the_agent_asks_the_service_on_trial(model_dir: Path) -> None:
    good, bad = make_release(model_dir, 1), make_release(model_dir, 2, fails="wrong chip")
    switch(model_dir, good)
    assert not_served(str(model_dir), bad, 0.0) is None, "no service runs"
    with service(model_dir):
        assert not_served(str(model_dir), good, 0.0) is None
        assert not_served(str(model_dir), bad, 0.0) == "its service does not serve it in time"
        switch(model_dir, bad)
        fault = not_served(str(model_dir), bad, time.monotonic() + 60)
        assert "does not start: RuntimeError: wrong chip" in str(fault)


def test_a_board_that_opens_once_changes_hands(model_dir: Path, tmp_path: Path) -> None:
    board = str(tmp_path / "board")
    first, second = (make_release(model_dir, number, board=board) for number in (1, 2))
    switch(model_dir, first)
    with service(model_dir) as client:
        assert client.infer(SAMPLE)["release"] == first
        switch(model_dir, second)
        until(lambda: client.infer(SAMPLE)["release"] == second)
        assert client.health()["fault"] is None


def test_samples_are_kept_within_the_quota(model_dir: Path) -> None:
    name, kept = make_release(model_dir, 1), model_dir / "kept"
    switch(model_dir, name)
    one = 500  # bytes that an .npz file of 16 pixels and its .json take, or less
    with service(model_dir, keep={"below": 0.68, "quota_mb": 3 * one / 1e6}) as client:
        sure, doubtful = np.full(SHAPE, 250, np.uint8), np.full(SHAPE, 1, np.uint8)
        assert client.infer(sure)["kept"] is None
        marked = client.infer(sure, mark=True, note="the door")["kept"]
        again = client.infer(sure, mark=True)["kept"]
        low = client.infer(doubtful)["kept"]
        facts = {
            path.stem: json.loads(path.with_suffix(".json").read_text())
            for path in kept.glob("*.npz")
        }
        assert set(facts) == {marked, low}
        assert again == marked
        for stem in facts:
            data = (kept / f"{stem}.npz").read_bytes()
            assert hashlib.sha256(data).hexdigest() == stem
        with np.load(kept / f"{low}.npz", allow_pickle=False) as arrays:
            assert list(arrays) == ["x.input"]
            np.testing.assert_array_equal(arrays["x.input"], doubtful)
        assert facts[marked] | {"confidence": 0} == {
            "release": name, "reason": "marked", "label": "b of 1", "note": "the door",
            "confidence": 0,
        }  # fmt: skip
        assert facts[low]["reason"] == "low confidence"
        assert facts[low]["confidence"] < 0.68 < facts[marked]["confidence"]
        for value in range(2, 6):
            client.infer(np.full(SHAPE, value, np.uint8))
        files = list(kept.iterdir())
        assert sum(path.stat().st_size for path in files) <= 3 * one
        assert marked not in {path.stem for path in files}, "the oldest go"
        assert {path.suffix for path in files} == {".npz", ".json"}
        huge = model_dir / "kept" / ".tmp-999999999"
        huge.write_bytes(b"what a power cut left")
    with service(model_dir, keep={"below": None, "quota_mb": 0}) as client:
        answer = client.infer(sure, mark=True)
        assert answer["label"] == "b of 1"
        assert "the quota is 0" in answer["not_kept"]
    assert not huge.exists()


def test_loopback_is_for_programs_of_this_machine(model_dir: Path) -> None:
    switch(model_dir, make_release(model_dir, 1))
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with service(model_dir, http_port=port):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        seen = []
        for headers in ({}, {"Origin": "http://evil.example"}, {"Host": f"evil.example:{port}"}):
            connection.request("GET", "/labels", headers=headers)
            response = connection.getresponse()
            seen.append(response.status)
            response.read()
        assert seen == [200, 404, 404], "a web page reaches loopback too"
        connection.close()
