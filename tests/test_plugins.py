from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.plugins import AdapterError, Group, build, load, offers
from polyant.testing.manual_clock import ManualClock
from support.packages import install

RATE_LIMITER = Group("rate_limiter", RateLimiter)
CHAT_MODEL = Group("chat_model", ChatModel)

SOURCE = """
class Limiter:
    def __init__(self, *, clock, unheard_of=7, **others):
        self.clock, self.unheard_of, self.others = clock, unheard_of, others

    async def hit(self, key, limit): ...

class Demanding:
    def __init__(self, *, moon): ...

class Mute:
    pass

class Nameless:
    def generate(self, request): ...
    async def check(self, base_url): ...

def made(clock):
    return Limiter(clock=clock)

NOTHING = None
"""

CLOCK = ManualClock()


async def _clock() -> ManualClock:
    return CLOCK


PARTS: dict[str, Callable[[], Awaitable[object]]] = {"clock": _clock}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def acme(folder: Path) -> None:
    """A package that offers good and bad rate limiters."""
    offered = ("Limiter", "Demanding", "Mute", "made", "NOTHING", "missing")
    models = [("chat_model", "nameless", "Nameless")]
    install(folder, "acme-limits", SOURCE, [*(("rate_limiter", name.lower(), name) for name in offered), *models])


def test_our_own_adapters_are_offered_like_anybody_elses() -> None:
    found = {(offer.group, offer.name, offer.package) for offer in offers(["instance_repo", "rate_limiter"])}
    assert {("instance_repo", "piccolo", "polyant"), ("rate_limiter", "memory", "polyant")} <= found
    assert load(RATE_LIMITER, "memory") is MemoryRateLimiter


def test_offers_tell_package_and_version_and_import_nothing(folder: Path) -> None:
    install(folder, "acme-broken", "raise RuntimeError('imported')", [("rate_limiter", "broken", "Limiter")])
    found = {offer.name: offer for offer in offers(["rate_limiter"])}
    assert (found["broken"].package, found["broken"].version) == ("acme-broken", "1.2.3")
    assert found["broken"].target == "acme_broken:Limiter"


@pytest.mark.usefixtures("acme")
async def test_adapter_gets_the_parts_its_parameters_name_and_no_others() -> None:
    built = await build(RATE_LIMITER, "limiter", {**PARTS, "tools": _clock})
    assert vars(built) == {"clock": CLOCK, "unheard_of": 7, "others": {}}


@pytest.mark.usefixtures("acme")
async def test_function_may_build_an_adapter() -> None:
    assert vars(await build(RATE_LIMITER, "made", PARTS))["clock"] is CLOCK


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    "name, says",
    [
        ("nobody's", r"No installed package offers the rate_limiter adapter 'nobody's'; there are: \[.*'memory'"),
        ("demanding", r"'demanding' asks for 'moon'; on offer are: \['clock'\]"),
        ("mute", r"The rate_limiter adapter 'mute' lacks \['hit'\]"),
        ("missing", r"'missing' of acme-limits can't be imported: AttributeError"),
        ("nothing", r"'nothing' \(acme_limits:NOTHING\) isn't callable"),
    ],
)
async def test_adapter_that_cannot_be_used_is_refused_with_the_reason(name: str, says: str) -> None:
    with pytest.raises(AdapterError, match=says):
        await build(RATE_LIMITER, name, PARTS)


@pytest.mark.usefixtures("acme")
async def test_missing_attribute_is_named_as_well_as_a_missing_method() -> None:
    with pytest.raises(AdapterError, match=r"'nameless' lacks \['info'\]"):
        await build(CHAT_MODEL, "nameless", PARTS)


async def test_adapter_whose_import_fails_is_refused(folder: Path) -> None:
    install(folder, "acme-failing", "import no_such_module", [("rate_limiter", "failing", "Limiter")])
    with pytest.raises(AdapterError, match="can't be imported: ModuleNotFoundError"):
        await build(RATE_LIMITER, "failing", PARTS)


@pytest.mark.usefixtures("acme")
async def test_adapter_offered_by_two_packages_is_refused(folder: Path) -> None:
    install(folder, "other-limits", SOURCE, [("rate_limiter", "limiter", "Limiter")])
    with pytest.raises(AdapterError, match=r"offered more than once: .*acme-limits.*other-limits"):
        await build(RATE_LIMITER, "limiter", PARTS)


async def test_package_found_twice_on_the_path_is_no_double_offer(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path_factory.mktemp("again")
    for place in (folder, again):
        install(place, "twice-limits", SOURCE, [("rate_limiter", "twice", "Limiter")])
    monkeypatch.syspath_prepend(str(again))
    assert vars(await build(RATE_LIMITER, "twice", PARTS))["clock"] is CLOCK


async def test_type_that_does_not_tell_its_parameters_is_refused_for_its_shape(folder: Path) -> None:
    install(folder, "acme-odd", "Odd = dict", [("rate_limiter", "odd", "Odd")])
    with pytest.raises(AdapterError, match=r"'odd' lacks \['hit'\]"):
        await build(RATE_LIMITER, "odd", PARTS)
