"""What ``hikube-kafka new`` writes, and what it leaves alone. tests/test_wheel.py works with it."""

import json
import re
import tomllib
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hikube_kafka import __version__
from hikube_kafka.cli import app
from hikube_kafka.project import TARGETS, ProjectError, Target, create

ROOT = Path(__file__).parents[2]
PINNED = f"hikube-kafka[pytest]=={__version__}"


def comes_from(origin: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pip records where a package came from; None: it came from an index."""
    recorded = None if origin is None else json.dumps(origin)
    monkeypatch.setattr(PathDistribution, "read_text", lambda _distribution, _name: recorded)


@pytest.fixture(autouse=True)
def _from_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    comes_from(None, monkeypatch)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_left_to_fill_in(target: Target, tmp_path: Path) -> None:
    created = create(tmp_path / "shop", target=target)
    assert set(created.files) == {
        ".gitignore",
        "README.md",
        "cdktf.json",
        "main.py",
        "package.json",
        "pyproject.toml",
        "requirements.txt",
        "stacks/platform.py",
        "tests/test_platform.py",
    }
    text = "".join((created.directory / file).read_text() for file in created.files)
    assert re.findall(r"\b(?:PLATFORM|VERSION|REQUIREMENT|FROM_WHERE)", text) == []
    assert "://" not in text
    assert created.steps[0] == f"cd {tmp_path / 'shop'}"
    readme = (created.directory / "README.md").read_text()
    assert [step for step in created.steps[1:] if step not in readme] == []


def test_it_pins_what_this_repository_is_tested_with(tmp_path: Path) -> None:
    directory = create(tmp_path / "shop").directory
    pipfile = tomllib.loads((ROOT / "Pipfile").read_text())
    tested = pipfile["packages"] | pipfile["dev-packages"]
    lines = [line for line in (directory / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert PINNED in lines
    others = dict(line.split("==") for line in lines if line != PINNED)
    assert {name: f"=={version}" for name, version in others.items()} == {name: tested[name] for name in others}
    command = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert json.loads((directory / "package.json").read_text())["devDependencies"] == command


def test_the_folder_names_the_platform_unless_another_name_is_given(tmp_path: Path) -> None:
    assert '"shop"' in (create(tmp_path / "shop").directory / "main.py").read_text()
    assert '"events"' in (create(tmp_path / "Shop 2", name="events").directory / "main.py").read_text()


@pytest.mark.parametrize("name", ["Shop", "my_shop", "shop.x", "-", "1shop", "käse", "a" * 41, ""])
def test_a_name_that_no_platform_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"not a DNS label of at most 40 characters.*--name"):
        create(tmp_path / "here", name=name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_what_else_is_there_stays(tmp_path: Path) -> None:
    mine = tmp_path / "main.py"
    mine.write_text("mine")
    (tmp_path / "README.md").symlink_to("nowhere")
    with pytest.raises(ProjectError, match=r"already has README\.md, main\.py: nothing was written"):
        create(tmp_path, name="shop")
    assert {each.name for each in tmp_path.iterdir()} == {"main.py", "README.md"}
    assert mine.read_text() == "mine"
    (tmp_path / "README.md").unlink()
    mine.rename(tmp_path / "other.py")
    (tmp_path / ".venv").mkdir()
    create(tmp_path, name="shop")
    assert (tmp_path / "other.py").read_text() == "mine"


def test_a_folder_that_cannot_be_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/shop"):
        with pytest.raises(ProjectError, match="cannot be written"):
            create(tmp_path / place, name="shop")


def test_the_folder_of_a_user_who_is_not_known_is_told_so() -> None:
    with pytest.raises(ProjectError, match="~nobody-here/shop is not known"):
        create(Path("~nobody-here/shop"))


def test_a_wheel_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "on disk" / "hikube_kafka-0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_text("wheel")
    comes_from({"url": wheel.as_uri(), "archive_info": {}}, monkeypatch)
    created = create(tmp_path / "shop")
    assert (created.directory / "wheels" / wheel.name).read_text() == "wheel"
    assert f"--find-links wheels\n{PINNED}\n" in (created.directory / "requirements.txt").read_text()
    assert "`wheels/` holds the wheel" in (created.directory / "README.md").read_text()


@pytest.mark.parametrize("url", ["file:///srv/check%20out", "file:///gone/hikube_kafka-0-py3-none-any.whl"])
def test_of_a_checkout_a_wheel_is_built_first(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comes_from({"url": url, "dir_info": {"editable": True}}, monkeypatch)
    created = create(tmp_path / "shop")
    assert f"--find-links wheels\n{PINNED}\n" in (created.directory / "requirements.txt").read_text()
    assert "pip wheel --no-deps --wheel-dir wheels" in created.steps[1]
    assert created.steps[1].endswith(("'/srv/check out'", "/gone/hikube_kafka-0-py3-none-any.whl"))


def test_a_repository_is_named_with_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comes_from({"url": "https://git.example/k.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}, monkeypatch)
    text = (create(tmp_path / "shop").directory / "requirements.txt").read_text()
    assert "\nhikube-kafka[pytest] @ git+https://git.example/k.git@abc\n" in text


def test_the_command_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["new", "shop", "--target", "kubernetes"])
    assert done.exit_code == 0
    assert done.output.splitlines()[2] == "  cd shop"
    assert "local jars" not in done.output
    again = CliRunner().invoke(app, ["new", "shop"])
    assert again.exit_code == 2
    assert "hikube-kafka: shop already has .gitignore, README.md" in again.output
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "cd " not in CliRunner().invoke(app, ["new", "."]).output


def test_a_project_for_kubernetes_is_not_named_after_a_namespace_of_every_cluster(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="every cluster has a namespace default already"):
        create(tmp_path / "default", target="kubernetes")
    assert create(tmp_path / "default", target="local").files
