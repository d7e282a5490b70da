import asyncio
import logging
import re
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store.models.installation import Installation
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import SettingsError
from findimg_bot.slack.installation.stores import InstallationStore, OAuthStateStore, token_cipher
from findimg_bot.slack.installation.workspaces import ManyWorkspaces, with_token
from findimg_bot.state.database import Database

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
SECRETS = {
    "bot_token": "xoxb-the-bots-own",
    "bot_refresh_token": "xoxe-the-bots-next",
    "user_token": "xoxp-anns",
    "user_refresh_token": "xoxe-anns-next",
    "incoming_webhook_url": "https://hooks.slack.com/services/T1/B1/hook",
}


@pytest.fixture
def installations(database: Database) -> Callable[[str], InstallationStore]:
    """Return a function that opens the same installations with other keys."""
    return lambda keys: InstallationStore(database, "client-id", token_cipher(keys))


def installation(team: str = "T1", user: str = "U1", **more: str) -> Installation:
    return Installation(
        app_id="A1",
        team_id=team,
        user_id=user,
        bot_id="B1",
        bot_user_id="UBOT",
        bot_scopes="chat:write,commands",
        **(SECRETS | more),
    )


async def found_token(store: InstallationStore, team: str = "T1") -> str | None:
    bot = await store.async_find_bot(enterprise_id=None, team_id=team)
    return bot and bot.bot_token


def test_installation_round_trip_keeps_tokens(installations: Callable[[str], InstallationStore]) -> None:
    async def run() -> None:
        store = installations(OLD)
        await store.async_save(installation())
        bot = await store.async_find_bot(enterprise_id=None, team_id="T1")
        assert bot
        assert (bot.bot_token, bot.bot_user_id, bot.bot_scopes) == (
            SECRETS["bot_token"],
            "UBOT",
            ["chat:write", "commands"],
        )
        for user in (None, "U1"):
            back = await store.async_find_installation(enterprise_id=None, team_id="T1", user_id=user)
            assert {name: getattr(back, name) for name in SECRETS} == SECRETS

    asyncio.run(run())


def test_saving_does_not_change_the_installation(installations: Callable[[str], InstallationStore]) -> None:
    given = installation()
    asyncio.run(installations(OLD).async_save(given))
    assert {name: getattr(given, name) for name in SECRETS} == SECRETS


@pytest.mark.parametrize("state_address", ["sqlite"], indirect=True)
def test_no_token_is_stored_in_plain_text(
    installations: Callable[[str], InstallationStore], state_address: str
) -> None:
    async def run() -> None:
        await installations(OLD).async_save(installation())
        await installations(OLD).async_save_bot(installation("T2").to_bot())

    asyncio.run(run())
    written = b"".join(file.read_bytes() for file in Path(state_address).parent.iterdir())
    assert b"UBOT" in written
    for secret in SECRETS.values():
        assert secret.encode() not in written
    assert not re.search(rb"xox[a-z]-|hooks\.slack", written)


@pytest.mark.parametrize("state_address", ["sqlite"], indirect=True)
def test_state_file_is_readable_only_by_its_owner(
    installations: Callable[[str], InstallationStore], state_address: str
) -> None:
    asyncio.run(installations(OLD).async_save(installation()))
    assert [file for file in Path(state_address).parent.iterdir() if file.stat().st_mode & 0o077] == []


def test_each_workspace_has_its_own_token(installations: Callable[[str], InstallationStore]) -> None:
    async def run() -> None:
        store = installations(OLD)
        await store.async_save(installation("T1", bot_token="xoxb-one"))
        await store.async_save(installation("T2", bot_token="xoxb-two"))
        assert [await found_token(store, team) for team in ("T1", "T2", "T3")] == ["xoxb-one", "xoxb-two", None]

    asyncio.run(run())


def test_reinstalled_workspace_has_its_newest_token(installations: Callable[[str], InstallationStore]) -> None:
    async def run() -> None:
        store = installations(OLD)
        await store.async_save(installation(bot_token="xoxb-one"))
        await asyncio.sleep(0.01)
        await store.async_save(installation(bot_token="xoxb-two"))
        assert await found_token(store) == "xoxb-two"

    asyncio.run(run())


@pytest.mark.parametrize("keys", ["{},{}", "{} {}", " {},\n{} "], ids=["comma", "space", "both"])
def test_key_rotation_by_prepending_a_key(installations: Callable[[str], InstallationStore], keys: str) -> None:
    async def run() -> None:
        await installations(OLD).async_save(installation("T1"))
        both = installations(keys.format(NEW, OLD))
        assert await found_token(both, "T1") == SECRETS["bot_token"]
        await both.async_save(installation("T2"))
        assert await found_token(installations(NEW), "T2") == SECRETS["bot_token"]
        assert await found_token(installations(OLD), "T2") is None

    asyncio.run(run())


def test_lost_key_is_logged(
    installations: Callable[[str], InstallationStore], caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        await installations(OLD).async_save(installation())
        lost = installations(NEW)
        assert await lost.async_find_bot(enterprise_id=None, team_id="T1") is None
        assert await lost.async_find_installation(enterprise_id=None, team_id="T1") is None

    asyncio.run(run())
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert said == ["A stored token cannot be decrypted: FINDIMG_SLACK_TOKEN_KEY is not the key that encrypted it."] * 2
    assert NEW not in caplog.text
    assert OLD not in caplog.text


def test_unencrypted_token_is_not_used(installations: Callable[[str], InstallationStore], database: Database) -> None:
    asyncio.run(installations(OLD).async_save(installation()))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE slack_bots SET bot_token = 'xoxb-planted'")
    assert asyncio.run(found_token(installations(OLD))) is None


def test_deleted_workspace_has_no_tokens(installations: Callable[[str], InstallationStore], database: Database) -> None:
    async def run() -> None:
        store = installations(OLD)
        for team, user in [("T1", "U1"), ("T1", "U2"), ("T2", "U1")]:
            await store.async_save(installation(team, user))
        await store.async_delete_all(enterprise_id=None, team_id="T1")
        assert await found_token(store, "T1") is None
        assert await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="U2") is None
        assert await found_token(store, "T2") == SECRETS["bot_token"]

    asyncio.run(run())
    with database.engine.connect() as connection:
        for table in ("slack_bots", "slack_installations"):
            teams = connection.exec_driver_sql(f"SELECT team_id FROM {table}").scalars().all()
            assert teams == ["T2"]


def test_many_workspaces_use_their_own_tokens(installations: Callable[[str], InstallationStore]) -> None:
    async def run() -> None:
        store = installations(OLD)
        await store.async_save(installation("T1", bot_token="xoxb-one"))
        await store.async_save(installation("T2", bot_token="xoxb-two"))
        client = AsyncWebClient(base_url="http://127.0.0.1:1/api/")
        workspaces = ManyWorkspaces(client, store, rotator(client))
        one, two, three = [await workspaces.client(team) for team in ("T1", "T2", "T3")]
        assert one
        assert two
        assert (one.token, two.token, three, client.token) == ("xoxb-one", "xoxb-two", None, None)
        assert one.base_url == client.base_url
        who = await workspaces.authorize(None, "T1")
        assert who
        assert (who.team_id, who.bot_user_id, who.bot_token) == ("T1", "UBOT", "xoxb-one")
        await workspaces.forget(None, "T1")
        assert await workspaces.authorize(None, "T1") is None
        assert await workspaces.client("T2")

    asyncio.run(run())


def test_org_wide_installation_is_found_from_each_of_its_workspaces(
    installations: Callable[[str], InstallationStore],
) -> None:
    async def run() -> None:
        store = installations(OLD)
        org = {"enterprise_id": "E1", "is_enterprise_install": True}
        await store.async_save(installation(None, bot_token="xoxb-org", **org))
        client = AsyncWebClient(base_url="http://127.0.0.1:1/api/")
        workspaces = ManyWorkspaces(client, store, rotator(client))
        for team in ("T1", "T2"):
            who = await workspaces.authorize("E1", team)
            assert who
            assert (who.enterprise_id, who.team_id, who.bot_token) == ("E1", None, "xoxb-org")
        assert await workspaces.authorize("E2", "T1") is None
        assert await workspaces.authorize(None, "T1") is None
        found = await workspaces.client("E1")
        assert found
        assert found.token == "xoxb-org"
        await workspaces.forget("E1", None)
        assert await workspaces.client("E1") is None
        assert await workspaces.authorize("E1", "T1") is None

    asyncio.run(run())


def test_client_of_a_grid_workspace_needs_only_its_id(installations: Callable[[str], InstallationStore]) -> None:
    async def run() -> None:
        store = installations(OLD)
        await store.async_save(installation("T1", bot_token="xoxb-grid", enterprise_id="E1"))
        client = AsyncWebClient(base_url="http://127.0.0.1:1/api/")
        workspaces = ManyWorkspaces(client, store, rotator(client))
        found = await workspaces.client("T1")
        assert found
        assert found.token == "xoxb-grid"
        assert await workspaces.client("E1") is None

    asyncio.run(run())


def test_token_is_renewed_once_before_it_expires(installations: Callable[[str], InstallationStore]) -> None:
    calls: list[dict[str, str]] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        calls.append(dict(urllib.parse.parse_qsl(await request.text())))
        renewed = {"access_token": "xoxe.xoxb-new", "refresh_token": "xoxe-2", "expires_in": 43200}
        return web.json_response({"ok": True, "token_type": "bot", **renewed})

    async def run() -> list[str | None]:
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            client = AsyncWebClient(base_url=f"http://{host}:{port}/api/")
            store = installations(OLD)
            soon = {"bot_refresh_token": "xoxe-1", "bot_token_expires_at": int(time.time()) + 60}
            await store.async_save(installation("T1", bot_token="xoxe.xoxb-old", **soon))
            workspaces = ManyWorkspaces(client, store, rotator(client))
            both = await asyncio.gather(*(workspaces.authorize(None, "T1") for _ in range(2)))
            later = await workspaces.client("T1")
            assert later
            return [*(each and each.bot_token for each in both), later.token]
        finally:
            await runner.cleanup()

    assert asyncio.run(run()) == ["xoxe.xoxb-new"] * 3
    (call,) = calls
    assert (call["grant_type"], call["refresh_token"]) == ("refresh_token", "xoxe-1")


def rotator(client: AsyncWebClient) -> AsyncTokenRotator:
    return AsyncTokenRotator(client_id="1.2", client_secret="secret", client=client)


def test_client_copy_leaves_the_original_unchanged() -> None:
    client = AsyncWebClient("xoxb-one", base_url="http://127.0.0.1:1/api/", timeout=7)
    other = with_token(client, "xoxb-two")
    assert (client.token, other.token, other.base_url, other.timeout) == ("xoxb-one", "xoxb-two", client.base_url, 7)


@pytest.mark.parametrize("keys", ["", " , ", "secret", "AAAA{}", "{},secret", "ключ"])
def test_invalid_key_is_explained(keys: str) -> None:
    with pytest.raises(SettingsError, match=r"must hold a Fernet key.*Fernet\.generate_key\(\)") as error:
        token_cipher(keys.format(OLD))
    assert OLD not in str(error.value)


def test_documented_command_makes_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError) as error:
        token_cipher("")
    code = re.search(r"python -c '(.*)'", str(error.value))
    assert code
    exec(code[1])
    token_cipher(capsys.readouterr().out.strip())


def test_oauth_state_is_used_once(database: Database) -> None:
    async def run() -> None:
        states = OAuthStateStore(database)
        one, two = await states.async_issue(), await states.async_issue()
        assert one != two
        assert [await states.async_consume(each) for each in (one, one, two, "unknown", "")] == [
            True,
            False,
            True,
            False,
            False,
        ]

    asyncio.run(run())


def test_oauth_state_works_on_another_replica(database: Database, state_address: str) -> None:
    async def run() -> None:
        state = await OAuthStateStore(database).async_issue()
        other = Database(state_address)
        assert await OAuthStateStore(other).async_consume(state)
        assert not await OAuthStateStore(database).async_consume(state)
        other.close()

    asyncio.run(run())


def test_oauth_state_expires(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("findimg_bot.slack.installation.stores._STATE_SECONDS", -1)

    async def run() -> None:
        states = OAuthStateStore(database)
        assert not await states.async_consume(await states.async_issue())

    asyncio.run(run())
