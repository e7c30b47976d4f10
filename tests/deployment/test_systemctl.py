"""The stand-in for systemctl, with which the deployment page is typed."""

import pytest

from deployment.systemctl import command_of, parse_environment, parse_unit
from support.proxies import DEPLOY


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("A = spaces around ", "spaces around"),
        ("A='a$HOME and $$'", "a$HOME and $$"),
        ("A=a$HOME", "a$HOME"),
        ('A="a$HOME"', "a$HOME"),
        ('A="a \\"quote\\" and \\$"', 'a "quote" and $'),
        ("A='a \"quote\" and \\n'", 'a "quote" and \\n'),
        ("A=a\\ b\\$", "a b$"),
        ("A='one''two' ", "onetwo"),
        ("A='two\nlines'", "two\nlines"),
        ("A=joined \\\nlines", "joined lines"),
        ("A=' kept '", " kept "),
        ("A=", ""),
        ("A=a#b", "a#b"),
    ],
)
def test_value_is_read_as_systemd_reads_it(line: str, value: str) -> None:
    assert parse_environment(f"# comment\n; comment\n\nB=1\n{line}\nC=2\n") == {"A": value, "B": "1", "C": "2"}


def test_line_without_an_assignment_is_named() -> None:
    with pytest.raises(ValueError, match="line 2 "):
        parse_environment("A=1\nexport B\n")


def test_unit_starts_with_its_user_and_view_of_the_file_system() -> None:
    *_, script = command_of(parse_unit((DEPLOY / "polyant.service").read_text()))
    *before, last = script.splitlines()
    assert last.startswith(
        "exec setpriv --reuid=polyant --regid=polyant --init-groups --no-new-privs --bounding-set=-all"
    )
    assert last.endswith("/opt/polyant/.venv/bin/polyant serve --workers 2")
    assert {"mount --bind /var/lib/polyant /var/lib/polyant", "mount -o remount,bind,ro /", "umask 0077"} <= set(before)
    assert before[-1] == "cd /var/lib/polyant"


def test_empty_value_resets_a_setting() -> None:
    unit = parse_unit(
        "[Unit]\nUser=none\n[Service]\n# User=b\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b \\\n  c\n"
    )
    assert unit == {"ExecStart": ["/bin/b    c"]}
