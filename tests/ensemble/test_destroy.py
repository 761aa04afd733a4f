"""What a destroy leaves of an ensemble that does not run. Of one that runs: test_lifecycle.py."""

from pathlib import Path

from hikube_kafka.ensemble import destroy, status
from hikube_kafka.ensemble.configuration import write_declaration
from tests.support.ensemble import small_ensemble


def test_messages_stay_unless_told_otherwise(tmp_path: Path) -> None:
    directory = tmp_path / "ensemble"
    messages = directory / "broker-0" / "data" / "orders-0" / "00000000000000000000.log"
    messages.parent.mkdir(parents=True)
    messages.touch()
    write_declaration(directory, small_ensemble(directory).declaration)

    destroy(directory)
    assert messages.exists()
    assert status(directory) is not None

    destroy(directory, keep_data=False)
    assert not directory.exists()


def test_what_somebody_else_put_into_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "broker-0").mkdir()
    (tmp_path / "notes").touch()
    destroy(tmp_path, keep_data=False)
    assert [each.name for each in tmp_path.iterdir() if not each.name.startswith(".")] == ["notes"]


def test_an_ensemble_that_is_not_there_is_destroyed_already(tmp_path: Path) -> None:
    destroy(tmp_path / "nowhere", keep_data=False)
    assert not (tmp_path / "nowhere").exists()
