"""The container: builds each instance once, from the annotated types of its constructor's arguments."""

import inspect
import logging
from asyncio import Lock
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from polyant.arguments import Argument, WiringError, arguments_of, key_of, name_of, one_line

log = logging.getLogger("polyant")

T = TypeVar("T")

Plan = tuple[tuple[Argument, Any], ...]
"""The arguments that are given, each with the type that is looked up for it."""


class LazyType(Generic[T]):
    """Names a class without importing it; annotations that refer to the class find what is registered for it."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = module
        self.__qualname__ = name


class Recipe:
    """How instances of one type are built: by calling a class or function with what its annotations ask for."""

    package: str | None = None
    """The package whose classes may be arguments without being registered."""

    def __init__(self, make: Callable[..., Any], *, instead: Mapping[Any, Any] | None = None) -> None:
        """Takes what builds the instance.

        Args:
            make: A class, or a function that may be asynchronous.
            instead: Types that are looked up in place of some of the annotated ones.
        """
        self.label = name_of(make)
        self._make = make
        self._instead = {key_of(kind): other for kind, other in (instead or {}).items()}

    def arguments(self) -> tuple[Argument, ...]:
        """Returns what the class or function asks for.

        Raises:
            WiringError: It can't be told.
        """
        return tuple(argument.replaced(self._instead) for argument in arguments_of(self._make, self.label))

    async def build(self, *arguments: Any, **named: Any) -> object:
        """Returns a new instance."""
        made = self._make(*arguments, **named)
        return await made if inspect.isawaitable(made) else made

    def explained(self, error: Exception) -> Exception:
        """Returns what is raised in place of an error that came up while an instance was built or entered."""
        return error


class Container:
    """Builds instances when they are first asked for, and closes them in reverse order when it is left.

    An instance that is an asynchronous context manager is entered. First calls that overlap build once.
    """

    def __init__(self, *, autowired: str, instead: Mapping[Any, Any] | None = None) -> None:
        """Begins with nothing registered.

        Args:
            autowired: The package whose classes are built from their annotations without being registered.
            instead: Types that are looked up in place of some of those that the autowired classes ask for.
        """
        self._autowired = autowired
        self._instead = instead
        self._recipes: dict[str, Recipe] = {}
        self._injectables: dict[str, str] = {}
        self._plans: dict[str, Plan] = {}
        self._instances: dict[str, Any] = {}
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Builds nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the instances, the last one first; one that fails to close is logged and stops no other."""
        await self._stack.aclose()

    @property
    def injectables(self) -> list[str]:
        """The names of the types that can be asked for, sorted."""
        return sorted(self._injectables.values())

    def register(
        self, kind: "type[T] | LazyType[T]", recipe: Recipe | Callable[..., Any], *, listed: bool = True
    ) -> None:
        """Makes a type injectable, in place of an earlier registration; unless `listed`, no error names it."""
        self._recipes[key_of(kind)] = recipe if isinstance(recipe, Recipe) else Recipe(recipe)
        self._plans.pop(key_of(kind), None)
        if listed:
            self._injectables[key_of(kind)] = name_of(kind)

    def register_value(self, kind: type[T], value: T) -> None:
        """Makes an instance injectable that exists already; it is neither entered nor closed."""
        self.register(kind, lambda: value)
        self._instances[key_of(kind)] = value

    async def get(self, kind: "type[T] | LazyType[T]") -> T:
        """Returns the instance of that type; builds it, and what it needs, at the first call.

        Raises:
            WiringError: It can't be built.
        """
        key = key_of(kind)
        if key not in self._instances:
            self.check(kind)
            await self._instance(key)
        instance: T = self._instances[key]
        return instance

    def check(self, *kinds: Any) -> None:
        """Returns if all of these types can be built, as far as annotations tell; imports what builds them.

        Raises:
            WiringError: One of them, or of what they need, can't.
        """
        for kind in kinds:
            self._check(kind, ())

    def needs(self, kind: Any, other: Any) -> bool:
        """Returns whether an instance of the one type is built with one of the other, directly or not.

        Raises:
            WiringError: The first can't be built.
        """
        self.check(kind)
        wanted, open_keys, seen = key_of(other), [key_of(kind)], set[str]()
        while open_keys:
            key = open_keys.pop()
            if key not in seen:
                seen.add(key)
                open_keys += [key_of(need) for _, need in self._plans.get(key, ())]
        return wanted in seen

    def _check(self, kind: Any, path: tuple[Any, ...]) -> None:
        key = key_of(kind)
        if any(key_of(earlier) == key for earlier in path):
            raise WiringError(f"{self._recipes[key].label} needs itself: {' → '.join(map(name_of, (*path, kind)))}")
        if key in self._plans or key in self._instances:
            return
        if key not in self._recipes and not self._provides(kind):
            raise WiringError(f"Nothing provides {name_of(kind)}; injectable types: {', '.join(self.injectables)}")
        recipe = self._recipes[key]
        plan = tuple((argument, found) for argument in recipe.arguments() if (found := self._find(argument, recipe)))
        for _, need in plan:
            self._check(need, (*path, kind))
        self._plans[key] = plan

    def _find(self, argument: Argument, recipe: Recipe) -> Any:
        """Returns the type that is looked up for the argument, None if it keeps its default."""
        found = next((kind for kind in argument.types if self._provides(kind, recipe.package)), None)
        if found is not None or not argument.required:
            return found
        shared = next((kind for kind in argument.types if _is_class_of(kind, recipe.package)), None)
        if shared is None:
            raise WiringError(
                f"{recipe.label} asks for {argument}, which {_obstacle(argument)}; "
                f"injectable types: {', '.join(self.injectables)}"
            )
        self.register(shared, _SharedRecipe(shared, recipe), listed=False)
        return shared

    def _provides(self, kind: Any, package: str | None = None) -> bool:
        if key_of(kind) not in self._recipes and _is_class_of(kind, self._autowired):
            self.register(kind, Recipe(kind, instead=self._instead), listed=False)
        recipe = self._recipes.get(key_of(kind))
        return recipe is not None and (not isinstance(recipe, _SharedRecipe) or recipe.package == package)

    async def _instance(self, key: str) -> Any:
        async with self._locks[key]:
            if key not in self._instances:
                self._instances[key] = await self._build(self._recipes[key], self._plans[key])
        return self._instances[key]

    async def _build(self, recipe: Recipe, plan: Plan) -> object:
        given = [(argument, await self._instance(key_of(need))) for argument, need in plan]
        positional = [value for argument, value in given if argument.positional]
        named = {argument.name: value for argument, value in given if not argument.positional}
        try:
            instance = await recipe.build(*positional, **named)
            if isinstance(instance, AbstractAsyncContextManager):
                await instance.__aenter__()
                self._stack.push_async_callback(_close, instance, recipe.label)
        except Exception as error:
            explained = recipe.explained(error)
            if explained is error:
                raise
            raise explained from error
        return instance


class _SharedRecipe(Recipe):
    """Builds a class that adapters of one package share; the first that asked for it is named in errors."""

    def __init__(self, make: type, first: Recipe) -> None:
        super().__init__(make)
        self.package = first.package
        self.label = f"{first.label}: {name_of(make)}"
        self._first = first

    def explained(self, error: Exception) -> Exception:
        return self._first.explained(error)


async def _close(instance: AbstractAsyncContextManager[Any], label: str) -> None:
    try:
        await instance.__aexit__(None, None, None)
    except Exception as error:  # noqa: BLE001 - the others are to be closed all the same
        log.warning("%s failed to close: %s", label, one_line(error))


def _obstacle(argument: Argument) -> str:
    return "can't be injected" if argument.types else "has no annotated type"


def _is_class_of(kind: Any, package: str | None) -> bool:
    """Returns whether the type is a class of that package that can be instantiated."""
    return (
        package is not None
        and inspect.isclass(kind)
        and f"{kind.__module__}.".startswith(f"{package}.")
        and not inspect.isabstract(kind)
        and not getattr(kind, "_is_protocol", False)
    )
