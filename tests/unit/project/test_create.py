from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.check.project import check_project
from edgeflow.cli.app import app
from edgeflow.config.schema import SCHEMA_FILE
from edgeflow.errors import ConfigError
from edgeflow.project.create import create
from edgeflow.project.draft import texts
from edgeflow.project.kinds import Template, draft_of

TEMPLATES: list[Template] = ["image", "audio", "signal", "model-file"]
ALWAYS = {".gitignore", "README.md", "Snakefile", "config.schema.json", "config.yaml", "profiles"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_template_is_a_project_that_passes_the_check(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = draft_of(template)
    written = create(tmp_path / "new", draft)
    monkeypatch.chdir(tmp_path / "new")
    assert set(written) == {path.name for path in Path().iterdir()}
    assert set(written) == ALWAYS | ({draft.brought} if draft.brought else set())
    config = check_project(Path("config.yaml"), fast=True)
    assert all(device.transport == "virtual" for device in config.devices.values())
    assert len(config.deployments) == 2
    first = Path("config.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=config.schema.json"
    assert Path("config.schema.json").read_text() == SCHEMA_FILE.read_text()


@pytest.mark.parametrize("template", ["audio", "signal", "model-file"])
def test_what_a_template_brings_is_the_same_every_time(template: Template, tmp_path: Path) -> None:
    draft = draft_of(template)
    for name in ("one", "two"):
        draft.bring(tmp_path / name)
    one, two = (
        {path.relative_to(root): path.read_bytes() for path in files if path.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
        for files in [[root, *root.rglob("*")]]
    )
    assert one == two
    assert sum(map(len, one.values())) < 2_000_000


def test_a_commented_device_is_valid_with_its_own_key(tmp_path: Path) -> None:
    """What stands in the comment is right: uncommented, it differs from a device by the key."""
    text = texts("new", draft_of("image"))["config.yaml"]
    lines = text.splitlines()
    start = lines.index("  # board:")
    end = next(n for n in range(start, len(lines)) if not lines[n].startswith("  #"))
    device = yaml.safe_load("\n".join(line[4:] for line in lines[start:end]))["board"]
    assert device.pop("host_key").startswith("ssh-ed25519 ")
    assert set(device) == {"target", "transport", "host", "user", "identity", "trust"}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text("mine")
    (tmp_path / "sounds").mkdir()
    with pytest.raises(ConfigError, match="Snakefile, sounds"):
        create(tmp_path, draft_of("audio"))
    assert {path.name for path in tmp_path.iterdir()} == {"Snakefile", "sounds"}
    assert (tmp_path / "Snakefile").read_text() == "mine"


def test_a_repository_that_is_there_keeps_its_files(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".gitignore").symlink_to("nowhere")
    written = create(tmp_path, draft_of("image"))
    assert set(written) == ALWAYS - {"README.md", ".gitignore"}
    assert (tmp_path / "README.md").read_text() == "mine"
    assert not (tmp_path / ".gitignore").exists()


@pytest.mark.parametrize("place", ["bring", "move"])
def test_after_a_failure_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    draft = draft_of("signal")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    if place == "bring":
        object.__setattr__(draft, "bring", fail)
    else:
        rename = Path.rename

        def once(self: Path, target: Path) -> Path:
            if self.name == "config.yaml":
                fail()
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(KeyboardInterrupt):
        create(tmp_path / "a" / "b", draft)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError):
            create(folder, draft_of("image"))


def test_init_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "new", "--template", "signal"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "next: cd new && edgeflow check && edgeflow run"
    Path("here").mkdir()
    monkeypatch.chdir("here")
    done = CliRunner().invoke(app, ["init", "."])
    assert done.output.splitlines()[-1] == "next: edgeflow check && edgeflow run"
    assert CliRunner().invoke(app, ["init", ".", "-t", "none"]).exit_code == 2
