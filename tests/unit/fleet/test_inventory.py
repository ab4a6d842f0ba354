"""Inventories: what people's files hold, and what is told of mistakes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeflow.config.device import SshDevice
from edgeflow.config.fleet import Rollout, SshFleet, VirtualFleet
from edgeflow.errors import ConfigError
from edgeflow.fleet.inventory import Row, device_of, read_inventory, selected
from tests.growth import calls
from tests.unit.config.test_sections import SSH

KEY = str(SSH["host_key"])
SECTION = {"target": "pi", "transport": "ssh", "inventory": "x", "identity": "key", "user": "pi"}
Write = Callable[..., list[Row]]


def fleet(**more: Any) -> SshFleet:
    return SshFleet.model_validate({**SECTION, **more})


@pytest.fixture
def rows(tmp_path: Path) -> Write:
    def read(content: str | bytes, name: str = "fleet.csv", **more: Any) -> list[Row]:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return read_inventory(tmp_path / name, fleet(**more))

    return read


@pytest.fixture
def problems(rows: Write) -> Callable[..., list[str]]:
    def read(*args: Any) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            rows(*args)
        return [str(problem) for problem in caught.value.problems]

    return read


ONE = [
    Row(
        name="press-1",
        host="10.0.0.1",
        port=2222,
        user="pi",
        host_key=KEY,
        labels={"site": "Linz, hall 2", "line": "1.10"},
        variant="a",
    )
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_spreadsheet_of_any_office_suite(rows: Write, delimiter: str, end: str) -> None:
    head = ["Name ", "Host", "Port", "Host Key", "Site", "label.line", "variant", "", ""]
    row = [" press-1", "10.0.0.1", "2222.0", KEY, '"Linz, hall 2"', "1.10\u00a0", "a", "", ""]
    text = end.join([delimiter.join(head), delimiter.join([""] * 9), delimiter.join(row), ""])
    assert rows(text.encode("utf-8-sig")) == ONE
    assert rows(text.encode("utf-16")) == ONE


def test_yaml_says_the_same_and_numbers_stay_as_written(rows: Write) -> None:
    text = f"""
- {{name: press-1, host: 10.0.0.1, port: 2222, host_key: {KEY}, variant: a, standby: ~,
   site: "Linz, hall 2", labels: {{line: 1.10}}}}
"""
    assert rows(text, "fleet.yaml") == ONE


def test_the_fleet_fills_in_what_columns_do_not_say(rows: Write) -> None:
    (row,) = rows(f"name,host,host_key,user\np,h,{KEY},\n", port=2022)
    assert (row.port, row.user) == (2022, "pi")
    device = device_of(fleet(path="ef", timeout_s=3.0, trust="transport"), row)
    assert device == SshDevice.model_validate(
        {**SSH, "host": "h", "port": 2022, "user": "pi", "path": "ef", "timeout_s": 3.0}
    )


def test_a_virtual_fleet_needs_names_alone(tmp_path: Path) -> None:
    (tmp_path / "fleet.csv").write_text("name,zone\na,1\nb,2\n")
    virtual = VirtualFleet.model_validate(
        {"target": "pi", "transport": "virtual", "inventory": "x"}
    )
    found = read_inventory(tmp_path / "fleet.csv", virtual)
    assert [(row.name, row.labels) for row in found] == [("a", {"zone": "1"}), ("b", {"zone": "2"})]
    assert device_of(virtual, found[0]).transport == "virtual"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Press.lan", "press.LAN."),
        ("fe80::1%eth0", "FE80:0:0::0001%eth0"),
        ("2001:db8::a", "2001:0DB8:0:0:0:0:0:A"),
        ("10.0.0.7", "::ffff:10.0.0.7"),
    ],
)
def test_one_address_in_two_spellings_is_there_twice(
    problems: Callable[..., list[str]], one: str, other: str
) -> None:
    (told,) = problems(f"name,host,port,host_key\na,{one},,{KEY}\nb,{other},22,{KEY}\n")
    assert told == f"line 3: b: {other}:22 is a of line 2 already"


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("10.0.0.12:22", "has a port: give '10.0.0.12' here, and 22 as `port`"),
        ("press.lan:2222", "has a port: give 'press.lan' here, and 2222 as `port`"),
        ("10.0.0.300", "is no IP address"),
        ("fe80::1::2", "is no IP address"),
    ],
)
def test_what_can_be_no_host(problems: Callable[..., list[str]], host: str, says: str) -> None:
    (told,) = problems(f"name,host,host_key\na,{host},{KEY}\n")
    assert told == f"line 2: a: host: {host!r} {says}"


def test_what_an_alias_repeats_is_there_twice(problems: Callable[..., list[str]]) -> None:
    row = f"{{name: a, host: h, host_key: {KEY}}}"
    named, placed = problems(f"- &a {row}\n- *a\n", "fleet.yaml")
    assert named == "line 1: a: line 1 has a device of that name already"
    assert placed == "line 1: a: h:22 is a of line 1 already"


def test_all_that_is_wrong_is_told_at_once_with_its_line(
    problems: Callable[..., list[str]],
) -> None:
    text = f"""name,host,port,host_key,label.x,standby
a,h1,22,{KEY},,b

A,h2,22,{KEY},,
c,h1,22,{KEY},,c
d,h 4,22a,{KEY[:-4]},,nobody
e,h5,22,{KEY},,,too,many
,h6,22,,,
"""
    told = problems(text)
    assert [line.partition(" (")[0] for line in told] == [
        "line 2: a: no device 'b' to stand by",
        "line 4: A: line 2 has a device of that name already",
        "line 5: c: h1:22 is a of line 2 already",
        "line 5: c: it is its own standby",
        "line 6: d: 'h 4' is no host",
        "line 6: d: '22a' is no port",
        "line 6: d: host_key: the key is cut off or damaged: copy the whole line again",
        "line 7: the row: 8 cells below 6 columns",
        "line 8: the row: no name",
        "line 8: the row: no host_key",
    ]


def test_a_column_that_is_nearly_a_known_one_is_no_label(
    problems: Callable[..., list[str]], rows: Write
) -> None:
    text = f"name,host,host_key,{{}}\na,h,{KEY},1\n"
    (told,) = problems(text.format("varaint"))
    assert "column 'varaint' looks like a slip (call it `variant`" in told
    assert rows(text.format("label.varaint"))[0].labels == {"varaint": "1"}


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "f.csv", "it names no device"),
        (b"name,host\n", "f.csv", "it names no device"),
        (b"host,port\nh,1\n", "f.csv", "the first row names no column `name`"),
        (b"name,a,A\nx,1,2\n", "f.csv", "two columns are called 'a'"),
        (b"name,,b\nx,1,2\n", "f.csv", "column 2 has no name"),
        (b'name,a\nx,"1\ny,2\n', "f.csv", "line 2: f.csv: not CSV"),
        (b"name,host\na,M\xfcnchen\n", "f.csv", "line 2: f.csv: not UTF-8"),
        (b"name: a\n", "f.yaml", "not a list"),
        (b"- {name: a\n", "f.yaml", "not YAML"),
        (b"- 3\n", "f.yaml", "line 1: the row: not a mapping"),
        (b"name\na\n", "f.xlsx", "must end in .csv or .yaml"),
    ],
)
def test_what_is_no_inventory(
    problems: Callable[..., list[str]], content: bytes, name: str, says: str
) -> None:
    (told,) = problems(content, name)
    assert says in told


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("label.site", "Graz", "a: `site` and `label.site` are the same label: leave one out"),
        ("label.", "x", "the row: 'label.' is no name of a label"),
        ("line", "\x1b[31m1", "a: line: '\\x1b[31m1' has a control character"),
        ("standby", "b\0", "a: standby: 'b\\x00' has a control character"),
    ],
)
def test_labels_that_say_two_things_or_what_nobody_sees(
    problems: Callable[..., list[str]], column: str, cell: str, says: str
) -> None:
    head, row = "name,host,host_key,site", f"a,h,{KEY},Linz"
    assert f"line 2: {says}" in problems(f"{head},{column}\n{row},{cell}\n")


def test_yaml_says_a_label_once(problems: Callable[..., list[str]], rows: Write) -> None:
    text = f"- {{name: a, host: h, host_key: {KEY}, {{}}labels: {{site: Graz, host: x}}}}\n"
    (told,) = problems(text.replace("{}", "site: Linz, "), "fleet.yaml")
    assert told == "line 1: a: `site` and `label.site` are the same label: leave one out"
    assert rows(text.replace("{}", ""), "f.yaml")[0].labels == {"site": "Graz", "host": "x"}


def test_an_inventory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_inventory(tmp_path / "none.csv", fleet())


@pytest.mark.parametrize(
    ("select", "names"),
    [({}, "abc"), ({"line": 1}, "ac"), ({"line": [1, "2"], "site": "x"}, "ab"), ({"no": "x"}, "")],
)
def test_devices_are_selected_by_labels(select: dict[str, Any], names: str) -> None:
    labels = {"a": ("1", "x"), "b": ("2", "x"), "c": ("1", "y")}
    found = [Row(name=it, labels={"line": n, "site": s}) for it, (n, s) in labels.items()]
    rollout = Rollout(fleet="f", model="m", recipe="r", select=select)
    assert "".join(row.name for row in selected(found, rollout)) == names


def test_reading_takes_linear_time(rows: Write) -> None:
    def work(count: int) -> int:
        lines = [f"p{n},h{n},{KEY},p{n - 1 if n else 1},{n % 7}" for n in range(count)]
        text = "\n".join(["name,host,host_key,standby,line", *lines])
        return calls(lambda: rows(text))

    assert work(1000) < 12 * work(100)
