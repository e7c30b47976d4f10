"""polyant instances export and import."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from support.commands import Polyant
from support.scripted_telegram import TOKEN, ScriptedTelegram, telegram_in_thread


@pytest.fixture
def telegram(environ: pytest.MonkeyPatch, polyant: Polyant, home: Path) -> Iterator[ScriptedTelegram]:
    """A scripted Telegram to which `demo-bot` is connected."""
    with telegram_in_thread() as (telegram, _):
        environ.setenv("TELEGRAM_API_URL", telegram.url)
        polyant.succeed("channels", "connect", "demo-bot", "telegram", "--users", "7", given=f"{TOKEN}\n")
        yield telegram


def test_exported_instance_is_imported_with_disconnected_channels(
    polyant: Polyant, telegram: ScriptedTelegram, tmp_path: Path
) -> None:
    document = polyant.succeed("instances", "export", "demo-bot").json
    assert TOKEN not in str(document)
    assert [each["channel"] for each in document["channels"]] == ["telegram"]
    assert document["channels"][0]["secrets"] == ["telegram_token", "telegram_webhook_secret"]
    file = tmp_path / "demo-bot.json"
    file.write_bytes(msgspec.json.encode(document))
    done = polyant.succeed("instances", "import", str(file), "--slug", "copy")
    assert done.stdout.splitlines() == [
        "Imported copy.",
        "The secret auth_api_key is missing: `polyant keys issue copy`",
        "telegram isn't connected: `polyant channels connect copy telegram`",
    ]
    (copy,) = polyant.succeed("channels", "list", "copy", "--json").json["channels"]
    assert (copy["state"], copy["account"], copy["users"]) == ("disconnected", None, ["7"])
    assert "isn't connected yet" in polyant("channels", "test", "copy", "telegram").stderr
    refused = polyant("channels", "connect", "copy", "telegram", given=f"{TOKEN}\n")
    assert "already connected: disconnect it there first" in refused.stderr
    again = polyant.succeed("instances", "export", "copy").json
    changed = {"slug": "copy", "secrets": [], "channels": [{**document["channels"][0], "secrets": []}]}
    assert again == {**document, **changed}
    polyant.succeed("channels", "disconnect", "demo-bot", "telegram")
    polyant.succeed("channels", "connect", "copy", "telegram", given=f"{TOKEN}\n")
    (copy,) = polyant.succeed("channels", "list", "copy", "--json").json["channels"]
    assert (copy["state"], copy["account"], copy["users"]) == ("active", "123456789", ["7"])


def test_document_is_read_from_standard_input(polyant: Polyant, home: Path) -> None:
    document = polyant.succeed("instances", "export", "demo-bot").stdout
    taken = polyant("instances", "import", "-", given=document)
    assert "already exists" in taken.stderr
    done = polyant.succeed("instances", "import", "-", "--overwrite", "--json", given=document)
    assert done.json == {"slug": "demo-bot", "missingSecrets": ["auth_api_key"], "disconnectedChannels": []}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "can't be read"), (b"nonsense", "JSON is malformed"), (b"{}", "missing required field"), (b"\xff", "")],
)
def test_file_that_is_no_document_is_refused(
    polyant: Polyant, home: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "document.json"
    if content is not None:
        file.write_bytes(content)
    done = polyant("instances", "import", str(file))
    assert done.code == 2
    assert message in done.stderr
