import asyncio
from collections.abc import Mapping
from typing import NewType, Protocol, Self

import pytest

from polyant.arguments import WiringError
from polyant.container import Container, LazyType, Recipe

Port = NewType("Port", int)


class Store:
    """A store that logs when it is built, entered and exited."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        log.append("built store")

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0)
        self.log.append("entered store")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.log.append("left store")


class Cache:
    def __init__(self, *, store: Store, log: list[str]) -> None:
        self.store, self.log = store, log

    async def __aenter__(self) -> Self:
        self.log.append("entered cache")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.log.append("left cache")
        raise RuntimeError("the cache\nis stuck")


class Reader:
    def __init__(self, cache: Cache, /, *, port: Port, depth: int = 3, store: Store | None = None) -> None:
        self.cache, self.port, self.depth, self.store = cache, port, depth, store


class Loop:
    def __init__(self, *, other: "OtherLoop") -> None: ...


class OtherLoop:
    def __init__(self, *, first: Loop) -> None: ...


class Clock(Protocol): ...


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def container(log: list[str]) -> Container:
    container = Container(autowired="no.package")
    container.register_value(list[str], log)
    container.register_value(Port, Port(4000))
    for kind in (Store, Cache, Reader):
        container.register(kind, kind)
    return container


async def test_arguments_are_injected_by_annotated_type(container: Container, log: list[str]) -> None:
    async with container:
        reader = await container.get(Reader)
        assert reader.cache is await container.get(Cache)
        assert reader.store is reader.cache.store is await container.get(Store)
        assert (reader.port, reader.depth) == (4000, 3)
    assert log.count("built store") == 1


async def test_concurrent_first_calls_build_once(container: Container, log: list[str]) -> None:
    async with container:
        reader, cache, store = await asyncio.gather(container.get(Reader), container.get(Cache), container.get(Store))
        assert reader.cache is cache
        assert cache.store is store
    assert log.count("built store") == log.count("entered store") == log.count("entered cache") == 1


async def test_instances_are_closed_in_reverse_order_despite_errors(
    container: Container, log: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with container:
        await container.get(Reader)
        assert "left store" not in log
    assert log == ["built store", "entered store", "entered cache", "left cache", "left store"]
    assert [record.getMessage() for record in caplog.records] == [
        "Cache failed to close: RuntimeError: the cache is stuck"
    ]


async def test_next_caller_builds_after_the_first_is_cancelled(container: Container) -> None:
    started = asyncio.Event()

    async def slow() -> Cache:
        started.set()
        await asyncio.sleep(3_600)
        raise AssertionError

    container.register(Cache, slow)
    first = asyncio.create_task(container.get(Cache))
    await started.wait()
    second = asyncio.create_task(container.get(Cache))
    container.register(Cache, lambda: "a cache")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    async with asyncio.timeout(60):
        assert await second == "a cache"  # type: ignore[comparison-overlap]


async def test_async_function_may_build_an_instance(container: Container, log: list[str]) -> None:
    async def make(store: Store) -> str:
        await asyncio.sleep(0)
        return f"on {type(store).__name__}"

    container.register(str, make)
    assert await container.get(str) == "on Store"


async def test_instead_replaces_a_type_for_one_class_only(container: Container, log: list[str]) -> None:
    class FileStore(Store): ...

    container.register(FileStore, FileStore)
    container.register(Cache, Recipe(Cache, overrides={Store: FileStore}))
    reader = await container.get(Reader)
    assert type(reader.cache.store) is FileStore
    assert type(reader.store) is Store


async def test_registration_does_not_import_the_class(container: Container) -> None:
    container.register(LazyType[Store](__name__, "Store"), lambda: "lazy")
    assert (await container.get(Cache)).store == "lazy"  # type: ignore[comparison-overlap]


async def test_mappings_are_distinguished_by_their_types(container: Container) -> None:
    def count(ports: "Mapping[str, Port]", names: Mapping[str, str]) -> str:
        return f"{len(ports)} {len(names)}"

    container.register_value(Mapping[str, Port], {"a": Port(1), "b": Port(2)})
    container.register_value(Mapping[str, str], {"a": "b"})
    container.register(str, count)
    assert await container.get(str) == "2 1"


async def test_autowired_classes_need_no_registration(log: list[str]) -> None:
    container = Container(autowired=__name__, overrides={Clock: Port})
    container.register_value(list[str], log)
    container.register_value(Port, Port(1))
    assert (await container.get(Reader)).port == 1
    with pytest.raises(WiringError, match="Nothing provides Clock"):
        await container.get(Clock)


async def test_dependencies_are_known_before_any_instance_is_built(container: Container, log: list[str]) -> None:
    assert container.needs(Reader, Store)
    assert container.needs(Cache, Store)
    assert not container.needs(Store, Cache)
    assert log == []


@pytest.mark.parametrize(
    "kind, message",
    [
        (Clock, r"\ANothing provides Clock; injectable types: Cache, Port, Reader, Store, list\[str\]\Z"),
        (Loop, r"\ALoop needs itself: Loop → OtherLoop → Loop\Z"),
    ],
)
async def test_unbuildable_type_is_refused_before_anything_is_built(
    container: Container, log: list[str], kind: type, message: str
) -> None:
    if kind is Loop:
        container.register(Loop, Loop)
        container.register(OtherLoop, OtherLoop, listed=False)
    with pytest.raises(WiringError, match=message):
        container.check(Store, kind)
    assert log == []


async def test_uninjectable_argument_is_named_with_the_injectable_types(container: Container) -> None:
    def tell(moon: Clock | None) -> str:
        return str(moon)

    container.register(str, tell)
    message = r"\Atell requires moon: Clock, which can't be injected; injectable types: Cache, Port, Reader, Store, "
    with pytest.raises(WiringError, match=message):
        container.check(str)
