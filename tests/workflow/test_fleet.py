"""A fleet of virtual devices, from an inventory to models that serve, on a neighbour too."""

import copy
import json
from typing import Any

from edgeflow.artifact.hashing import sha256_file
from tests.workflow.conftest import CONFIG, Project

INVENTORY = "name,variant,standby,site\na,one,b,x\nb,two,,x\nc,one,,x\nleft,two,,y\n"


def fleet_config() -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    second = copy.deepcopy(config["models"]["tiny"])
    second["train"]["epochs"] = 1
    config["models"]["second"] = second
    config["deployments"].append({**config["deployments"][0], "model": "second"})
    config["fleets"] = {"line": {"target": "pi", "transport": "virtual", "inventory": "line.csv"}}
    config["rollouts"] = {
        "spring": {
            "fleet": "line",
            "variants": {"one": "tiny", "two": "second"},
            "recipe": "int8",
            "select": {"site": "x"},
            "waves": [1, "100%"],
            "soak_s": 0,
        }
    }
    return config


def test_a_fleet_gets_its_models_and_neighbours_serve_them(pristine: Project) -> None:
    project, inventory = pristine, pristine.folder / "line.csv"
    project.write_config(fleet_config())
    inventory.write_text(INVENTORY)

    def edgeflow(*arguments: str) -> str:
        done = project.command("edgeflow", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "waves" not in project.would_run()  # a plain build leaves fleets alone
    assert "rollout spring: complete: 3 confirmed" in edgeflow("rollout", "spring")
    ran = {(event["step"], event["name"]) for event in project.events()}
    assert {("gate", "pi-1/tiny"), ("gate", "pi-1/second"), ("waves", "spring")} <= ran

    left = project.would_run()
    inventory.write_text(INVENTORY + "more,two,,y\n")
    assert project.would_run() == left

    found = json.loads(edgeflow("fleet", "status", "--json"))
    bundles = {
        model: sha256_file(project.folder / f"results/targets/pi/{model}/int8/bundle.tar")
        for model in ("tiny", "second")
    }
    served = {name: it["spring"]["current_sha256"] for name, it in found.items()}
    one, two = bundles["tiny"], bundles["second"]
    assert served == {"line/a": one, "line/b": two, "line/c": one}
    assert "0 of 3 devices would change" in edgeflow("rollout", "spring", "--dry-run")

    on_b = project.folder / ".edgeflow" / "virtual" / "b" / "root" / "edgeflow"
    assert (on_b / "tiny" / "releases" / one).is_dir()
    assert not (on_b / "tiny" / "current").is_symlink()
    edgeflow("fleet", "failover", "a", "--force")
    assert (on_b / "tiny" / "current").resolve().name == one
    assert "b gave it back" in edgeflow("fleet", "watch", "--failover", "--once")
    assert not (on_b / "tiny" / "current").is_symlink()
    assert (on_b / "second" / "current").resolve().name == two
    assert (
        "spring: tiny, second, complete"
        in (project.folder / "results/report/index.html").read_text()
    )
