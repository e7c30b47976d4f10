"""/api/instances/{slug}/prompts: the eight sections of the system prompt."""

from collections.abc import Sequence
from typing import Annotated

from litestar import Controller, Response, get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from polyant.domain.instances import Instance
from polyant.domain.prompts import MAX_SECTION_CHARACTERS, SECTION_TITLES, SectionKey
from polyant.domain.use_cases.preview_prompt import PreviewPrompt
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Answer, Body, slug_in, values_by_name
from polyant.http.refusals import read_refusals, write_refusals


class SectionOut(Answer, frozen=True, kw_only=True):
    """One section, as it is stored: its variables are not filled in."""

    key: SectionKey
    title: str
    content: str


class PromptsAnswer(Answer, frozen=True, kw_only=True):
    """All eight sections, in the order in which they are composed."""

    prompts: tuple[SectionOut, ...]


class SectionBody(Body, frozen=True, kw_only=True):
    """The new content of one section."""

    key: SectionKey
    content: Annotated[
        str,
        Meta(
            max_length=MAX_SECTION_CHARACTERS,
            extra_json_schema={"pattern": r"^[^\x00]*$"},
            examples=["You are Ada, who answers customers."],
        ),
    ]


class PatchPromptsBody(Body, frozen=True, kw_only=True):
    """The sections to change, each once; the others stay as they are."""

    sections: Annotated[tuple[SectionBody, ...], Meta(max_length=len(SectionKey))]


class PromptPreview(Answer, frozen=True, kw_only=True):
    """The whole system prompt."""

    prompt: str


class PromptsController(Controller):
    """The prompts of one instance."""

    path = "/instances/{slug:str}/prompts"
    tags = ("Prompts",)

    @get(summary="Show the prompts", responses=read_refusals(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[PromptsAnswer]:
        """Shows the eight sections of the system prompt."""
        return _answer(await show_instance(slug_in(slug)))

    @patch(summary="Change prompts", responses=write_refusals(404, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PatchPromptsBody],
        update_prompts: NamedDependency[UpdatePrompts],
        if_match: IfMatch = None,
    ) -> Response[PromptsAnswer]:
        """Replaces the contents of the sections that are sent."""
        instance = await update_prompts(
            slug_in(slug), sections_of(data.sections), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return _answer(instance)

    @get("/preview", summary="Show the whole prompt", responses=read_refusals(404))
    async def preview(self, *, slug: FromPath[str], preview_prompt: NamedDependency[PreviewPrompt]) -> PromptPreview:
        """Composes the whole system prompt as the model would see it now; its MCP servers are asked for their tools."""
        return PromptPreview(prompt=await preview_prompt(slug_in(slug)))


def _answer(instance: Instance) -> Response[PromptsAnswer]:
    sections = (
        SectionOut(key=key, title=SECTION_TITLES[key], content=instance.sections.get(key, "")) for key in SectionKey
    )
    return Response(PromptsAnswer(prompts=tuple(sections)), headers={"ETag": etag_of(instance.version)})


def sections_of(sections: Sequence[SectionBody]) -> dict[SectionKey, str]:
    """Returns the contents by section.

    Raises:
        InvalidInputError: One is given more than once.
    """
    return values_by_name(((section.key, section.content) for section in sections), "Section")
