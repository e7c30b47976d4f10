"""The manifest on docs/channels/slack.md."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

from ruamel.yaml import YAML

from polyant.adapters.channels.slack.account_check import SCOPES

PAGE = Path(__file__).parents[4] / "docs" / "channels" / "slack.md"


def manifest() -> Any:
    found = re.search(r"(?ms)^ *```yaml\n(.*?)^ *```$", PAGE.read_text())
    assert found
    return YAML(typ="safe").load(dedent(found[1]))


def test_manifest_grants_exactly_the_scopes_that_are_checked() -> None:
    assert manifest()["oauth_config"]["scopes"]["bot"] == list(SCOPES)


def test_manifest_subscribes_to_messages_that_the_scopes_cover() -> None:
    settings = manifest()["settings"]
    kinds = [event.removeprefix("message.") for event in settings["event_subscriptions"]["bot_events"]]
    assert [f"{kind}:history" for kind in kinds] == [scope for scope in SCOPES if scope.endswith(":history")]
    assert settings["socket_mode_enabled"] is True
