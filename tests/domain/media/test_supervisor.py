"""Media of a turn, from the caller's request to the Supervisor."""

import asyncio
from base64 import b64encode
from typing import Any

import msgspec
import pytest

from polyant.domain.chat import AssistantMessage, ChatRequest, TextPart, UserMessage
from polyant.domain.errors import InvalidInputError, ServerBusyError
from polyant.domain.instances import Instance, Slug
from polyant.domain.media.parts import AudioPart, DocumentPart, ImageLink, ImagePart, MediaKind
from polyant.domain.media.sizes import MediaTooLargeError
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.testing.factories import InstanceFactory
from polyant.testing.turns import CONTEXT
from support.images import ATTRIBUTE, jpeg, png, xmp, xmp_segment
from support.scripted_supervisor import ScriptedSupervisor
from support.turn_runner import TurnRunner, events_of

SEEING = ProviderInfo(
    name="seeing",
    default_model="eyes",
    base_url="https://seeing.example/v1",
    secret=None,
    media=frozenset(MediaKind),
    compatible_media=frozenset({MediaKind.IMAGE}),
)
WEB = "https://images.example/a.png"
PDF = DocumentPart(media_type="application/pdf", data=b"%PDF-1.7", name="bill.pdf")
VOICE = AudioPart(media_type="audio/ogg", data=b"OggS")
ELSEWHERE = "https://other.example/v1"


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{b64encode(data).decode()}"


def link(data: bytes | str, where: str = "") -> ImageLink:
    return ImageLink(url=data if isinstance(data, str) else data_url(data), where=where)


class Scenario:
    """Runs turns of an instance whose provider takes all media."""

    def __init__(self, **settings: Any) -> None:
        self.supervisor = ScriptedSupervisor()
        self.runner = TurnRunner(self.supervisor, providers={"seeing": SEEING}, images={WEB: png()}, **settings)
        self.instance: Instance = InstanceFactory.build(provider="seeing", base_url=None)

    async def run(self, *messages: UserMessage | AssistantMessage) -> tuple[UserMessage | AssistantMessage, ...]:
        """Returns the messages that the Supervisor gets."""
        request = ChatRequest(model=Slug("bot"), messages=messages)
        assert await events_of(self.runner.run_turn(self.instance, request, CONTEXT))
        return self.supervisor.turns[-1].messages

    async def sent(self, *parts: Any) -> tuple[Any, ...]:
        """Returns the parts of the only message."""
        (message,) = await self.run(UserMessage(parts))
        assert isinstance(message, UserMessage)
        return message.parts

    async def refused(self, part: ImageLink) -> InvalidInputError:
        with pytest.raises(InvalidInputError) as caught:
            await self.sent(part)
        return caught.value


@pytest.fixture
def scenario() -> Scenario:
    return Scenario()


async def test_images_are_read_from_data_urls_and_from_the_web(scenario: Scenario) -> None:
    text = TextPart("Look")
    large = png((b"teSt", bytes(100_000)))
    assert await scenario.sent(text, link(png()), link(WEB), link(large)) == (
        text,
        ImagePart(media_type="image/png", data=png()),
        ImagePart(media_type="image/png", data=png()),
        ImagePart(media_type="image/png", data=large),
    )
    assert scenario.runner.fetcher.fetched == [WEB]


async def test_location_never_reaches_the_supervisor(scenario: Scenario) -> None:
    (image,) = await scenario.sent(link(jpeg(xmp_segment(xmp(ATTRIBUTE)))))
    assert b"GPS" not in image.data


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "An image needs a data, http or https URL - at `$.x`"),
        ("file:///etc/hostname", "An image needs a data, http or https URL - at `$.x`"),
        ("http://[", "The image can't be fetched"),
        ("https://images.example/none.png", "The image can't be fetched: send it as a data URL, or from a public"),
        ("data:image/png,abc", "A data URL must have the form data:image/png;base64,... - at `$.x`"),
        ("data:image/png;base64", "A data URL must have the form"),
        ("data:image/png;base64,a?b", "The data URL is not valid Base64 - at `$.x`"),
        ("data:image/png;base64,é", "The data URL is not valid Base64 - at `$.x`"),
        ("data:image/png;base64,", "The image is of a type that isn't supported"),
        (data_url(png()[:40]), "The image is incomplete: it ends in the middle of its data - at `$.x`"),
    ],
)
async def test_image_that_cannot_be_used_is_refused_with_its_place(scenario: Scenario, url: str, message: str) -> None:
    error = await scenario.refused(link(url, "$.x"))
    assert error.message.startswith(message)
    assert error.message.endswith("- at `$.x`")
    assert scenario.runner.media.held == 0


@pytest.mark.parametrize("form", ["{}", "{}==", "DATA:;Base64,{}"])
async def test_common_forms_of_data_urls_are_accepted(scenario: Scenario, form: str) -> None:
    plain = data_url(png()).partition(",")[2].rstrip("=")
    url = form.format(plain) if ":" in form else f"data:image/png;base64,{plain}{form[2:]}"
    padded = url if len(plain) % 4 == 2 or "==" not in form else url.rstrip("=")
    escaped = padded.replace("+", "%2B").replace("/", "%2F") if ":" not in form else padded
    (image,) = await scenario.sent(link(escaped))
    assert image.data == png()


async def test_newest_four_images_go_up_and_markers_replace_older_ones(scenario: Scenario) -> None:
    images = [png((b"teSt", bytes((number,)))) for number in range(7)]
    sent = await scenario.run(
        UserMessage((link(images[0]), link("not checked any more"), TextPart("Both"))),
        AssistantMessage("Yes."),
        UserMessage((link(images[2]), link(images[3]))),
        UserMessage((TextPart("And these?"), link(images[4]), link(images[5]), link(images[6]))),
    )
    first, _, third, last = sent
    assert isinstance(first, UserMessage)
    assert first.text == "Both\n\n[2 images of this message left out here.]"
    assert not first.has_media
    assert third == UserMessage(
        (ImagePart(media_type="image/png", data=images[3]), TextPart("[An image of this message left out here.]"))
    )
    assert isinstance(last, UserMessage)
    assert [part.data for part in last.parts[1:] if isinstance(part, ImagePart)] == images[4:]


async def test_provider_that_takes_no_images_is_asked_to_say_so_once(scenario: Scenario) -> None:
    scenario.instance = msgspec.structs.replace(scenario.instance, base_url="https://seeing.example/v1/")
    assert (await scenario.sent(PDF)) == (PDF,)  # its own address, with a slash
    scenario.instance = msgspec.structs.replace(scenario.instance, base_url="https://other.example/v1")
    sent = await scenario.run(
        UserMessage((PDF,)),
        AssistantMessage("No."),
        UserMessage((TextPart("Hm?"), AudioPart(media_type="audio/wav", data=b"RIFF"), PDF, link(png()))),
    )
    assert isinstance(sent[0], UserMessage)
    assert not sent[0].has_media
    assert isinstance(sent[2], UserMessage)
    assert [part for part in sent[2].parts if not isinstance(part, TextPart)] == [
        ImagePart(media_type="image/png", data=png())
    ]
    assert sent[2].text.startswith("Hm?\n\n[The user sent a document that you don't get: The PDF can't be read")
    assert sent[2].text.count("can't listen to recordings") == 1


async def test_one_item_and_all_running_turns_are_bounded_and_free_their_bytes_at_the_end() -> None:
    scenario = Scenario(max_media_bytes=len(png()) * 2)
    large = png((b"teSt", bytes(len(png()))))
    for url in (link(large), link(png((b"teSt", bytes(1_000))))):
        error = await scenario.refused(url)
        assert isinstance(error, MediaTooLargeError)
        assert error.hint == "MEDIA_BYTES sets the limit for one image or file, and for those of a turn together"
    running = asyncio.Event()
    scenario.supervisor.plays(running)
    request = ChatRequest(model=Slug("bot"), messages=(UserMessage((link(png()), link(WEB))),))
    turn = scenario.runner.run_turn(scenario.instance, request, CONTEXT)
    task = asyncio.create_task(events_of(turn))
    await scenario.supervisor.runs()
    assert scenario.runner.media.held == len(png()) * 2
    with pytest.raises(ServerBusyError):
        await scenario.sent(link(png()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scenario.runner.media.held == 0


async def test_older_media_that_a_turn_cannot_hold_are_left_out() -> None:
    scenario = Scenario(max_media_bytes=len(png()) * 2)
    image = ImagePart(media_type="image/png", data=png())
    older, _, newest = await scenario.run(UserMessage((image,)), AssistantMessage("Yes."), UserMessage((image, image)))
    assert older == UserMessage((TextPart("[An image of this message left out here.]"),))
    assert newest == UserMessage((image, image))


async def test_images_of_one_request_are_refused_if_they_are_too_large_together() -> None:
    scenario = Scenario(max_media_bytes=len(png()) * 2)
    with pytest.raises(MediaTooLargeError, match="The images and files together are too large: at most"):
        await scenario.sent(link(png()), link(png()), link(png()))
    assert scenario.runner.media.held == 0


async def test_turn_without_media_passes_untouched(scenario: Scenario) -> None:
    message = UserMessage.of("Hi")
    assert (await scenario.run(message))[0] is message


def with_base_url(scenario: Scenario, url: str) -> Scenario:
    scenario.instance = msgspec.structs.replace(scenario.instance, base_url=url)
    return scenario


async def test_recording_becomes_a_marked_transcript_if_a_transcriber_is_enabled() -> None:
    scenario = Scenario(transcripts={VOICE.data: " Call me back "})
    sent = await scenario.run(UserMessage((TextPart("Listen:"), VOICE, TextPart("Thanks"))))
    assert isinstance(sent[0], UserMessage)
    assert not sent[0].has_media
    assert sent[0].text == (
        "Listen:\n\n[Transcript of a recording that the user sent; it may contain mistakes:]\nCall me back\n"
        "[End of transcript]\n\nThanks"
    )


async def test_recording_that_cannot_be_transcribed_is_said_once_and_the_text_is_answered() -> None:
    scenario = Scenario(transcripts={})
    (text, *_) = await scenario.run(UserMessage((VOICE,)))
    assert isinstance(text, UserMessage)
    assert text.text.startswith("[The user sent a recording that couldn't be transcribed now. Say once")
    silent = Scenario(transcripts={VOICE.data: ""})
    (text, *_) = await silent.run(UserMessage((VOICE,)))
    assert isinstance(text, UserMessage)
    assert text.text == "[The user sent a recording. Its transcript is empty: no words were understood.]"


async def test_without_a_transcriber_a_recording_goes_to_a_provider_that_takes_it(scenario: Scenario) -> None:
    assert await scenario.sent(VOICE) == (VOICE,)


async def test_text_document_becomes_text_whatever_its_name_says(scenario: Scenario) -> None:
    table = DocumentPart(media_type="application/pdf", data="Größe;3".encode(), name="table.pdf")
    (message, *_) = await scenario.run(UserMessage((table, TextPart("Sum?"))))
    assert isinstance(message, UserMessage)
    assert message.text == "[Text of the document table.pdf that the user sent:]\nGröße;3\n[End of document]\n\nSum?"


async def test_pdf_goes_to_the_provider_or_becomes_text() -> None:
    scenario = Scenario(documents={PDF.data: "Total: 12"})
    assert await scenario.sent(PDF) == (PDF,)
    (message, *_) = await with_base_url(scenario, ELSEWHERE).run(UserMessage((PDF,)))
    assert isinstance(message, UserMessage)
    assert message.text == "[Text of the document bill.pdf that the user sent:]\nTotal: 12\n[End of document]"


async def test_pdf_that_cannot_be_read_is_said_with_the_reason(scenario: Scenario) -> None:
    (message, *_) = await with_base_url(scenario, ELSEWHERE).run(UserMessage((PDF,)))
    assert isinstance(message, UserMessage)
    assert "The PDF can't be read: it is damaged. Say so once" in message.text


async def test_document_of_another_type_goes_to_no_provider(scenario: Scenario) -> None:
    archive = DocumentPart(media_type="application/pdf", data=b"PK\x03\x04", name="a.pdf")
    (message, *_) = await scenario.run(UserMessage((archive,)))
    assert isinstance(message, UserMessage)
    assert "can't read documents of this type" in message.text
