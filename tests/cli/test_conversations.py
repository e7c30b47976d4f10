from pathlib import Path

import httpx
import pytest

from support.commands import Polyant
from support.process import Server

KEY = "sk-0123456789abcdef"
FIELDS = ["id", "channel", "user", "clientManaged", "createdAt", "updatedAt", "messages", "unanswered"]


def chat(server: Server, slug: str, text: str, *, chat_id: str, user: str) -> str:
    body = {"model": slug, "messages": [{"role": "user", "content": text}], "chat_id": chat_id, "user": user}
    answer = httpx.post(
        f"{server.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    assert "x-polyant-ignored" not in answer.headers
    return str(answer.json()["choices"][0]["message"]["content"])


def keeping(polyant: Polyant, slug: str) -> None:
    polyant.succeed("instances", "create", slug)
    polyant.succeed("secrets", "set", slug, "auth_api_key", given=KEY)
    polyant.succeed("instances", "update", slug, "--auth", "--conversations")


def test_conversations_are_listed_shown_exported_and_deleted(polyant: Polyant, server: Server) -> None:
    keeping(polyant, "kept")
    answer = chat(server, "kept", "First question", chat_id="1", user="ann")
    chat(server, "kept", "Other question", chat_id="2", user="bob")
    chat(server, "kept", "Second question", chat_id="1", user="ann")
    found = polyant.succeed("conversations", "list", "kept", "--json").json
    assert (found["total"], [each["user"] for each in found["conversations"]]) == (2, ["ann", "bob"])
    assert list(found["conversations"][0]) == FIELDS
    cut = polyant.succeed("conversations", "list", "kept", "--limit", "1")
    assert (len(cut.stdout.splitlines()), cut.stderr) == (2, "polyant: 1 of 2 conversations: see --limit\n")
    head, ann = polyant.succeed("conversations", "list", "kept", "--user", "ann").stdout.splitlines()
    assert head.split()[:3] == ["ID", "CHANNEL", "USER"]
    conversation = ann.split()[0]
    shown = polyant.succeed("conversations", "show", "kept", conversation).stdout
    assert "] user (about " in shown
    assert "First question\n" in shown
    assert shown.index("First question") < shown.index(answer) < shown.index("Second question")
    exported = polyant.succeed("conversations", "export", "kept", conversation).json
    assert [message["role"] for message in exported["transcript"]] == ["user", "assistant"] * 2
    assert exported["transcript"][0]["text"] == "First question"
    deleted = polyant.succeed("conversations", "delete", "kept", conversation, "--yes", "--json").json
    assert deleted == {"deleted": True, "conversations": 1, "messages": 4}
    done = polyant.succeed("conversations", "delete", "kept", "--user", "bob", "--yes")
    assert done.stdout == "Deleted 1 conversation with 2 messages.\n"
    assert polyant.succeed("conversations", "delete", "kept", "--all", "--yes", "--json").json["messages"] == 0
    assert polyant.succeed("conversations", "list", "kept", "--json").json["total"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("list", "nobody"), 4, 'Unknown instance "nobody"'),
        (("show", "demo-bot", "nope"), 4, "Unknown conversation"),
        (("export", "demo-bot", "../nope"), 4, "Unknown conversation"),
        (("delete", "demo-bot", "nope", "--yes"), 4, "Unknown conversation"),
        (("delete", "demo-bot", "--yes"), 2, "Pass the ID of a conversation, or --user, or --all"),
        (("delete", "demo-bot", "x", "--all", "--yes"), 2, "Pass the ID of a conversation, or --user, or --all"),
        (("delete", "demo-bot", "--all"), 1, "pass --yes to delete"),
    ],
)
def test_errors_have_a_message_and_an_exit_code(
    polyant: Polyant, home: Path, *, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = polyant("conversations", *arguments)
    assert (done.code, done.stdout) == (code, "")
    assert message in done.stderr
