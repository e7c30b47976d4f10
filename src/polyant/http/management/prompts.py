"""/api/instances/{slug}/prompts: the eight sections of the system prompt."""

from collections.abc import Sequence
from typing import Annotated

from litestar import Controller, Response, get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from polyant.domain.instances import Instance
from polyant.domain.prompts import MAX_SECTION_CHARACTERS, SECTION_TITLES, SectionKey, frequent_change
from polyant.domain.use_cases.preview_prompt import PreviewPrompt
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_prompts import UpdatePrompts
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import Body, ResponseBody, slug_in, values_by_name


class SectionOut(ResponseBody, frozen=True, kw_only=True):
    """One section of the system prompt."""

    key: SectionKey
    title: str
    content: Annotated[str, Meta(description="Text as stored: variables such as {{datetime}} are not replaced")]


class PromptsResponse(ResponseBody, frozen=True, kw_only=True):
    """The eight sections, in the order of the system prompt."""

    prompts: tuple[SectionOut, ...]


class SectionBody(Body, frozen=True, kw_only=True):
    """A section and its new content."""

    key: SectionKey
    content: Annotated[
        str,
        Meta(
            max_length=MAX_SECTION_CHARACTERS,
            extra_json_schema={"pattern": r"^[^\x00]*$"},
            examples=["You are Ada, who answers customers."],
        ),
    ]


Sections = Annotated[tuple[SectionBody, ...], Meta(max_length=len(SectionKey))]


class PatchPromptsBody(Body, frozen=True, kw_only=True):
    """The sections to change, each once; omitted sections keep their content."""

    sections: Sections


class PromptPreview(ResponseBody, frozen=True, kw_only=True):
    """The complete system prompt."""

    prompt: str
    notices: Annotated[tuple[str, ...], Meta(description="A notice if the prompt changes more often than once a day")]


class PromptsController(Controller):
    """The prompts of one instance."""

    path = "/instances/{slug:str}/prompts"
    tags = ("Prompts",)

    @get(summary="List prompt sections", responses=read_errors(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[PromptsResponse]:
        """Returns the eight sections of the system prompt."""
        return _response(await show_instance(slug_in(slug)))

    @patch(summary="Update prompt sections", responses=write_errors(404, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PatchPromptsBody],
        update_prompts: NamedDependency[UpdatePrompts],
        if_match: IfMatch = None,
    ) -> Response[PromptsResponse]:
        """Replaces the content of the given sections."""
        instance = await update_prompts(
            slug_in(slug), sections_of(data.sections), by=request.auth.actor, expected_versions=versions_in(if_match)
        )
        return _response(instance)

    @get("/preview", summary="Preview the system prompt", responses=read_errors(404))
    async def preview(
        self,
        *,
        slug: FromPath[str],
        preview_prompt: NamedDependency[PreviewPrompt],
        show_instance: NamedDependency[ShowInstance],
    ) -> PromptPreview:
        """Returns the complete system prompt as the model sees it now. This calls the MCP servers for their tools."""
        prompt = await preview_prompt(slug_in(slug))
        notice = frequent_change((await show_instance(slug_in(slug))).sections)
        return PromptPreview(prompt=prompt, notices=() if notice is None else (notice,))


def _response(instance: Instance) -> Response[PromptsResponse]:
    sections = (
        SectionOut(key=key, title=SECTION_TITLES[key], content=instance.sections.get(key, "")) for key in SectionKey
    )
    return Response(PromptsResponse(prompts=tuple(sections)), headers={"ETag": etag_of(instance.version)})


def sections_of(sections: Sequence[SectionBody]) -> dict[SectionKey, str]:
    """Returns the contents by section.

    Raises:
        InvalidInputError: A section is given more than once.
    """
    return values_by_name(((section.key, section.content) for section in sections), "Section")
