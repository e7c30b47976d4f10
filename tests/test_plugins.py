import re
from pathlib import Path

import pytest

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.arguments import WiringError
from polyant.container import Container
from polyant.domain.errors import UnavailableError
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.tool import Tool
from polyant.plugins import AdapterError, AdapterRecipe, Group, PortT, adapter_type, installed_adapters, load
from polyant.testing.manual_clock import ManualClock
from support.packages import install

RATE_LIMITER = Group("rate_limiter", RateLimiter)
CHAT_MODEL = Group("chat_model", ChatModel)
TOOL = Group("tool", Tool)

SOURCE = """
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from polyant.domain.ports.clock import Clock

if TYPE_CHECKING:
    from polyant.domain.ports.tool import Tool

class Limiter:
    def __init__(self, *, clock: Clock, unheard_of: int = 7, **others: object) -> None:
        self.clock, self.unheard_of, self.others = clock, unheard_of, others

    async def hit(self, key, limit): ...
    async def peek(self, key, limit): ...

class Moon: ...

class Demanding(Limiter):
    def __init__(self, *, moon: int) -> None: ...

class Untyped(Limiter):
    def __init__(self, clock) -> None: ...

class Unresolved(Limiter):
    def __init__(self, *, tool: Tool | None = None) -> None: ...

class Selfish(Limiter):
    def __init__(self, *, limiter: RateLimiter) -> None: ...

class Connection:
    def __init__(self, clock: Clock) -> None:
        self.clock, self.is_open = clock, False

    async def __aenter__(self):
        self.is_open = True

    async def __aexit__(self, *_):
        self.is_open = False

class Sharing(Limiter):
    def __init__(self, *, connection: Connection) -> None:
        self.connection = connection

class Mute:
    pass

class Muted(Limiter):
    hit = None

class Nameless:
    def generate(self, request): ...
    async def check(self, base_url, *, public_only=False): ...

class Failing(Limiter):
    def __init__(self) -> None:
        raise ValueError("no\\nluck")

class Closed(Limiter):
    def __init__(self) -> None: ...

    async def __aenter__(self):
        raise OSError("the door is shut")

    async def __aexit__(self, *_): ...

class Broken(Limiter):
    def __init__(self, *, connection: Unbuilt) -> None: ...

class Unbuilt:
    def __init__(self) -> None:
        raise ValueError("no wire")

class Posing:
    generate = check = hit = None

    @property
    def info(self):
        raise RuntimeError("no info")

def made(clock: Clock):
    return Limiter(clock=clock)

async def later(clock: Clock):
    return Limiter(clock=clock)

def promised(clock: Clock):
    return later(clock)

from polyant.domain.ports.rate_limiter import RateLimiter

NOTHING = None
"""

CLOCK = ManualClock()


async def build(group: Group[PortT], name: str) -> PortT:
    """Returns the named adapter, from a container that has a clock."""
    async with Container(autowired="no.package") as container:
        container.register_value(Clock, CLOCK)
        container.register(group.port, AdapterRecipe(group, name, {}))
        return await container.get(group.port)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def acme(folder: Path) -> None:
    """A package that offers usable and unusable rate limiters."""
    offered = (
        *(
            "Limiter",
            "Demanding",
            "Untyped",
            "Unresolved",
            "Selfish",
            "Sharing",
            "Mute",
            "Muted",
            "Failing",
            "Closed",
            "Broken",
        ),
        *("made", "later", "promised", "NOTHING", "missing"),
    )
    models = [("chat_model", name.lower(), name) for name in ("Nameless", "Posing")]
    install(folder, "acme-limits", SOURCE, [*(("rate_limiter", name.lower(), name) for name in offered), *models])


def test_built_in_adapters_are_offered_like_third_party_ones() -> None:
    found = {
        (adapter.group, adapter.name, adapter.package)
        for adapter in installed_adapters(["instance_repo", "rate_limiter"])
    }
    assert {("instance_repo", "piccolo", "polyant"), ("rate_limiter", "memory", "polyant")} <= found
    assert load(RATE_LIMITER, "memory") is MemoryRateLimiter


def test_offers_contain_package_and_version_without_importing_it(folder: Path) -> None:
    install(folder, "acme-broken", "raise RuntimeError('imported')", [("rate_limiter", "broken", "Limiter")])
    found = {adapter.name: adapter for adapter in installed_adapters(["rate_limiter"])}
    assert (found["broken"].package, found["broken"].version) == ("acme-broken", "1.2.3")
    assert found["broken"].target == "acme_broken:Limiter"


@pytest.mark.usefixtures("acme")
async def test_adapter_arguments_are_injected_by_annotation_and_others_keep_their_defaults() -> None:
    built = await build(RATE_LIMITER, "limiter")
    assert vars(built) == {"clock": CLOCK, "unheard_of": 7, "others": {}}


@pytest.mark.usefixtures("acme")
async def test_function_may_build_an_adapter() -> None:
    assert vars(await build(RATE_LIMITER, "made"))["clock"] is CLOCK


@pytest.mark.usefixtures("acme")
async def test_adapters_of_one_package_share_a_class_of_that_package() -> None:
    async with Container(autowired="no.package") as container:
        container.register_value(Clock, CLOCK)
        kinds = [adapter_type(RATE_LIMITER, name) for name in ("first", "second")]
        for kind in kinds:
            container.register(kind, AdapterRecipe(RATE_LIMITER, "sharing", {}))
        first, second = [vars(await container.get(kind))["connection"] for kind in kinds]
        assert first is second
        assert (first.clock, first.is_open) == (CLOCK, True)
    assert not first.is_open


@pytest.mark.usefixtures("acme")
async def test_adapter_does_not_get_a_class_of_another_package(folder: Path) -> None:
    source = "import acme_limits as a\nclass Other(a.Sharing):\n  def __init__(self, c: a.Connection): ..."
    install(folder, "other-limits", source, [("rate_limiter", "other", "Other")])
    async with Container(autowired="no.package") as container:
        container.register_value(Clock, CLOCK)
        for name in ("sharing", "other"):
            container.register(adapter_type(RATE_LIMITER, name), AdapterRecipe(RATE_LIMITER, name, {}))
        await container.get(adapter_type(RATE_LIMITER, "sharing"))
        with pytest.raises(WiringError, match="requires c: Connection, which can't be injected"):
            await container.get(adapter_type(RATE_LIMITER, "other"))


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    "name, message",
    [
        (
            "nobody's",
            r"No installed package provides the rate_limiter adapter 'nobody's'; installed are: \[.*'memory'.*\]",
        ),
        ("demanding", r"{} requires moon: int, which can't be injected; injectable types: Clock, RateLimiter"),
        ("untyped", r"{} requires clock, which has no annotated type; injectable types: Clock, RateLimiter"),
        ("unresolved", r"{}: the annotation of its argument 'tool' can't be resolved: NameError: name 'Tool' .*"),
        ("selfish", r"{} needs itself: RateLimiter → RateLimiter"),
        ("mute", r"{} is missing hit, peek, which RateLimiter requires"),
        ("muted", r"{} is missing hit, which RateLimiter requires"),
        ("failing", r"{} can't be built: ValueError: no luck"),
        ("closed", r"{} can't be built: OSError: the door is shut"),
        ("broken", r"{} can't be built: ValueError: no wire"),
        ("later", r"{} is an asynchronous function; use a class .* and open its resources in __aenter__"),
        ("promised", r"{} is an asynchronous function; use a class .* and open its resources in __aenter__"),
        ("missing", r"{} of acme-limits can't be imported: AttributeError: .*"),
        ("nothing", r"{} \(acme_limits:NOTHING\) isn't callable"),
    ],
)
async def test_unusable_adapter_is_refused_in_one_line_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(WiringError) as refused:
        await build(RATE_LIMITER, name)
    assert re.fullmatch(message.replace("{}", f"The rate_limiter adapter '{name}'"), str(refused.value))


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    "name, message",
    [
        ("nameless", "'nameless' is missing info, which ChatModel requires"),
        ("posing", "'posing' can't be built: RuntimeError: no info"),
    ],
)
async def test_missing_attributes_and_methods_are_named(name: str, message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        await build(CHAT_MODEL, name)


async def test_missing_attribute_of_a_subclass_of_the_port_is_named(folder: Path) -> None:
    source = """
import msgspec
from polyant.domain.ports.tool import Tool
class Echo(Tool):
    name = "echo"
    description = "Returns nothing"
    arguments = msgspec.Struct
    async def run(self, arguments, context): ...
"""
    install(folder, "acme-echo", source, [("tool", "echo", "Echo")])
    with pytest.raises(AdapterError, match="'echo' is missing secrets, which Tool requires"):
        await build(TOOL, "echo")


async def test_reason_of_an_unavailable_adapter_is_quoted(folder: Path) -> None:
    source = """
from polyant.domain.errors import UnavailableError
class Away:
    def __init__(self):
        raise UnavailableError("The limiter's database is away")
"""
    install(folder, "acme-away", source, [("rate_limiter", "away", "Away")])
    with pytest.raises(UnavailableError, match="The limiter's database is away"):
        await build(RATE_LIMITER, "away")


async def test_adapter_whose_import_fails_is_refused(folder: Path) -> None:
    install(folder, "acme-failing", "import no_such_module", [("rate_limiter", "failing", "Limiter")])
    with pytest.raises(AdapterError, match="can't be imported: ModuleNotFoundError"):
        await build(RATE_LIMITER, "failing")


@pytest.mark.usefixtures("acme")
async def test_adapter_offered_by_two_packages_is_refused(folder: Path) -> None:
    install(folder, "other-limits", SOURCE, [("rate_limiter", "limiter", "Limiter")])
    with pytest.raises(AdapterError, match=r"provided more than once: .*acme-limits.*other-limits"):
        await build(RATE_LIMITER, "limiter")


async def test_package_found_twice_on_the_path_is_offered_once(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path_factory.mktemp("again")
    for place in (folder, again):
        install(place, "twice-limits", SOURCE, [("rate_limiter", "twice", "Limiter")])
    monkeypatch.syspath_prepend(str(again))
    assert vars(await build(RATE_LIMITER, "twice"))["clock"] is CLOCK


async def test_type_with_unreadable_parameters_is_refused_for_its_shape(folder: Path) -> None:
    install(folder, "acme-odd", "Odd = dict", [("rate_limiter", "odd", "Odd")])
    with pytest.raises(AdapterError, match="'odd' is missing hit"):
        await build(RATE_LIMITER, "odd")


CONFIGURED = """
import msgspec

class Store(msgspec.Struct):
    size: int = 1

class Connection:
    def __init__(self, *, store: Store) -> None:
        self.store = store

class Configured:
    settings = Store
    hit = peek = None

    def __init__(self, *, store: Store, connection: Connection) -> None:
        self.store = store
        self.connection = connection

    async def hit(self, key, limit): ...
    async def peek(self, key, limit): ...

class Misdeclared(Configured):
    settings = {"size": 1}
"""


@pytest.fixture
def configured(folder: Path) -> None:
    """A package whose rate limiters have settings."""
    offers = [("rate_limiter", name, "Configured") for name in ("one", "two")]
    install(folder, "acme-configured", CONFIGURED, [*offers, ("rate_limiter", "misdeclared", "Misdeclared")])


@pytest.mark.usefixtures("configured")
async def test_adapter_and_the_classes_of_its_package_get_its_settings() -> None:
    async with Container(autowired="no.package") as container:
        container.register(RATE_LIMITER.port, AdapterRecipe(RATE_LIMITER, "one", {"POLYANT_ONE_SIZE": "7"}))
        built = vars(await container.get(RATE_LIMITER.port))
    assert built["store"].size == 7
    assert built["connection"].store is built["store"]


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("one", "can't be used: POLYANT_ONE_SIZE must be a whole number"),
        ("misdeclared", "can't be used: the attribute `settings` must be"),
    ],
)
async def test_invalid_settings_name_the_adapter(name: str, fault: str) -> None:
    async with Container(autowired="no.package") as container:
        container.register(RATE_LIMITER.port, AdapterRecipe(RATE_LIMITER, name, {"POLYANT_ONE_SIZE": "big"}))
        with pytest.raises(AdapterError, match=f"The rate_limiter adapter '{name}' {fault}"):
            container.check(RATE_LIMITER.port)


@pytest.mark.usefixtures("configured")
async def test_adapters_that_share_a_struct_must_have_the_same_values() -> None:
    async with Container(autowired="no.package") as container:
        for name in ("one", "two"):
            recipe = AdapterRecipe(RATE_LIMITER, name, {"POLYANT_ONE_SIZE": "7"})
            container.register(adapter_type(RATE_LIMITER, name), recipe)
        container.check(adapter_type(RATE_LIMITER, "one"))
        with pytest.raises(WiringError, match="'two' shares its settings with an adapter that has other values"):
            container.check(adapter_type(RATE_LIMITER, "two"))
