"""polyant skills: lists, shows, sets, imports and deletes an instance's skills."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyant.cli.context import CliContext, run
from polyant.cli.output import clipped, count, print_json, print_table
from polyant.domain.audit import CLI
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import parse_slug
from polyant.domain.skills import INSTRUCTIONS_FILE, MAX_SKILL_FILE_BYTES, Skill
from polyant.domain.use_cases.delete_skill import DeleteSkill
from polyant.domain.use_cases.set_skill import SetSkill, SkillChange
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_skill import ShownSkill, ShowSkill, UnknownSkillFileError, find_skill

Environ = Mapping[str, str]


def add_to(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("skills", help="list, show, set, import and delete an instance's skills")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list an instance's skills")
    listing.set_defaults(run=_list)
    show = actions.add_parser("show", help="print the instructions of a skill, or one of its other files")
    show.set_defaults(run=_show)
    put = actions.add_parser(
        "set",
        help="add a skill, or change one, with the instructions from standard input",
        description="Add a skill, or change the instructions of one, from standard input in Markdown. A YAML front "
        "matter may have the description. The other files of the skill stay.",
    )
    put.set_defaults(run=_set)
    load = actions.add_parser(
        "import",
        help="add or replace a skill from a folder with SKILL.md",
        description="Add or replace a skill from a folder in the Agent Skills format: SKILL.md, whose YAML front "
        "matter has the name and the description, and other text files.",
    )
    load.set_defaults(run=_import)
    delete = actions.add_parser("delete", help="delete a skill")
    delete.set_defaults(run=_delete)
    for action in (listing, show, put, load, delete):
        action.add_argument("slug", metavar="SLUG", help="slug of the instance")
        action.add_argument("--json", action="store_true", help="print JSON")
    for action in (show, put, delete):
        action.add_argument("name", metavar="NAME", help="name of the skill")
    show.add_argument("--file", metavar="PATH", help="another file of the skill to print")
    put.add_argument("--description", help="one line that says when to use the skill")
    load.add_argument("folder", metavar="FOLDER", type=Path, help="folder that contains SKILL.md")


def _list(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        skills = (await (await context.get(ShowInstance))(parse_slug(args.slug))).skills
        if args.json:
            print_json({"skills": [_fields(skill) for skill in skills]})
            return
        rows = [(skill.name, f"{skill.size:,}", clipped(skill.description)) for skill in skills]
        print_table(("NAME", "BYTES", "DESCRIPTION"), rows)

    return run(work, environ)


def _show(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        shown = await (await context.get(ShowSkill))(parse_slug(args.slug), args.name)
        if args.json:
            print_json(_shown_fields(shown))
        elif args.file is None or args.file == INSTRUCTIONS_FILE:
            _print_text(shown.content.instructions)
            if shown.content.files:
                files = ", ".join(file.path for file in shown.content.files)
                print(f"polyant: Other files, see --file: {files}", file=sys.stderr)
        else:
            _print_text(_file_text(shown, args.file))

    return run(work, environ)


def _set(args: argparse.Namespace, environ: Environ) -> int | None:
    from polyant.adapters.agent_skills.front_matter import parse_skill_text  # noqa: PLC0415 - imports YAML

    if sys.stdin.isatty():
        print("Type the instructions in Markdown, then Ctrl+D:", file=sys.stderr)
    parsed = parse_skill_text(_text_in(sys.stdin.buffer.read(MAX_SKILL_FILE_BYTES + 1)))
    if parsed.name not in {None, args.name}:
        raise InvalidInputError(f"The front matter has another name: {parsed.name}")
    change = SkillChange(
        name=args.name,
        description=parsed.description if args.description is None else args.description,
        instructions=parsed.instructions,
    )
    return _store(args, environ, change)


def _import(args: argparse.Namespace, environ: Environ) -> int | None:
    from polyant.adapters.agent_skills.folder import read_skill_folder  # noqa: PLC0415 - imports YAML

    found = read_skill_folder(args.folder)
    content = found.content
    change = SkillChange(
        name=content.name, description=content.description, instructions=content.instructions, files=content.files
    )
    return _store(args, environ, change, skipped=found.skipped)


def _store(
    args: argparse.Namespace, environ: Environ, change: SkillChange, *, skipped: tuple[str, ...] | None = None
) -> int | None:
    async def work(context: CliContext) -> None:
        instance = await (await context.get(SetSkill))(parse_slug(args.slug), change, by=CLI)
        skill = find_skill(instance, change.name)
        if args.json:
            print_json(_fields(skill) | ({} if skipped is None else {"skipped": skipped}))
            return
        print(f"Set the skill {skill.name} of {args.slug} ({count(skill.size, 'byte')}).")
        for path in skipped or ():
            print(f"polyant: Left out {ascii(path)[1:-1]}: hidden, or not text in UTF-8", file=sys.stderr)

    return run(work, environ)


def _delete(args: argparse.Namespace, environ: Environ) -> int | None:
    async def work(context: CliContext) -> None:
        await (await context.get(DeleteSkill))(parse_slug(args.slug), args.name, by=CLI)
        if args.json:
            print_json({"deleted": True})
        else:
            print(f"Deleted the skill {args.name} of {args.slug}.")

    return run(work, environ)


def _text_in(content: bytes) -> str:
    if len(content) > MAX_SKILL_FILE_BYTES:
        raise InvalidInputError(f"The instructions of a skill can have at most {MAX_SKILL_FILE_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError("The instructions of a skill must be text in UTF-8") from None


def _file_text(shown: ShownSkill, path: str) -> str:
    text = next((file.content for file in shown.content.files if file.path == path), None)
    if text is None:
        names = ", ".join(file.path for file in shown.content.files) or "none"
        raise UnknownSkillFileError(f"The skill {shown.skill.name} has no file {ascii(path)[1:-1]}. It has: {names}")
    return text


def _print_text(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def _fields(skill: Skill) -> dict[str, object]:
    return {"name": skill.name, "description": skill.description, "size": skill.size}


def _shown_fields(shown: ShownSkill) -> dict[str, object]:
    files = [{"path": file.path, "content": file.content, "script": file.is_script} for file in shown.content.files]
    return _fields(shown.skill) | {"instructions": shown.content.instructions, "files": files}
