import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store.models.installation import Installation
from sqlalchemy import Connection, Table
from typer.testing import CliRunner

from findimg.errors import SettingsError
from findimg_bot import cli
from findimg_bot.questions import Question
from findimg_bot.slack.installation.stores import InstallationStore, token_cipher
from findimg_bot.state import copying
from findimg_bot.state.copying import copy_state
from findimg_bot.state.database import Database
from findimg_bot.state.store import Store, StoredQuestion
from tests.bot import postgresql

CAT = StoredQuestion("T1", "U1", Question("/findimg", "cat"), 5, ("/photos/größe 猫.png",))
KEY = Fernet.generate_key().decode()


@pytest.fixture
def full(tmp_path: Path) -> tuple[Path, str]:
    """Return a SQLite file with a state, and the id of its question."""
    path = tmp_path / "bot.sqlite"
    store = Store(path)
    name = store.save_question(CAT)
    store.save_thumbnail("T1", "aa", "F1")
    store.is_new_event("Ev1")
    installations = InstallationStore(store.database, "client-id", token_cipher(KEY))
    for team in ("T1", "T2"):
        asyncio.run(installations.async_save(Installation(app_id="A1", team_id=team, user_id="U1", bot_token="xoxb-1")))
    store.close()
    return path, name


def test_state_moves_from_a_file_to_postgresql(full: tuple[Path, str], postgresql_server: postgresql.Server) -> None:
    (path, name), address = full, postgresql_server.create_database()
    done = CliRunner().invoke(cli.app, ["copy-state", str(path), "--state", address])
    assert done.exit_code == 0, done.output
    assert "1 rows of questions" in done.output
    store = Store(address)
    assert store.find_question(name) == CAT
    assert store.thumbnails("T1", ["aa"]) == {"aa": "F1"}
    assert not store.is_new_event("Ev1")
    installations = InstallationStore(store.database, "client-id", token_cipher(KEY))
    for team in ("T1", "T2"):
        bot = asyncio.run(installations.find_by_team(team))
        assert bot
        assert bot.bot_token == "xoxb-1"
    # New rows get numbers that are free.
    asyncio.run(installations.async_save(Installation(app_id="A1", team_id="T3", user_id="U1", bot_token="xoxb-3")))
    store.close()


def test_state_without_installations_is_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    store = Store(source)
    name = store.save_question(CAT)
    store.close()
    assert copy_state(str(source), str(target)) == {
        "questions": 1,
        "thumbnails": 0,
        "events": 0,
        "picture_changes": 0,
        "picture_channels": 0,
        "catch_ups": 0,
    }
    store = Store(target)
    assert store.find_question(name) == CAT
    store.close()


def test_target_with_content_is_refused_and_unchanged(full: tuple[Path, str], tmp_path: Path) -> None:
    target = tmp_path / "other.sqlite"
    store = Store(target)
    store.save_thumbnail("T9", "bb", "F9")
    store.close()
    with pytest.raises(SettingsError, match=r"other\.sqlite is not empty\. Name a new database"):
        copy_state(str(full[0]), str(target))
    store = Store(target)
    assert store.uploaded_hashes() == {"T9": ["bb"]}
    assert store.find_question(full[1]) is None
    store.close()


def test_missing_source_is_refused_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no state"):
        copy_state(str(tmp_path / "gone.sqlite"), str(tmp_path / "new.sqlite"))
    assert list(tmp_path.iterdir()) == []


def test_interrupted_copy_leaves_the_target_empty(
    full: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "new.sqlite"
    Database(target).close()
    copy_rows, copied = copying._copy_rows, list[str]()

    def interrupt(reading: Connection, writing: Connection, table: Table) -> int:
        copied.append(table.name)
        if len(copied) == 3:
            raise KeyboardInterrupt
        return copy_rows(reading, writing, table)

    with monkeypatch.context() as patch:
        patch.setattr(copying, "_ROWS", 1)
        patch.setattr(copying, "_copy_rows", interrupt)
        with pytest.raises(KeyboardInterrupt):
            copy_state(str(full[0]), str(target))
    assert copy_state(str(full[0]), str(target))["slack_installations"] == 2
