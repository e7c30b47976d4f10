"""The dependency injection container: builds each instance once, by the annotated types of its arguments."""

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
"""The arguments to inject, each with the type that is injected."""


class LazyType(Generic[T]):
    """A reference to a class that isn't imported; annotations with that class resolve to its registration."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = module
        self.__qualname__ = name


class Recipe:
    """Builds the instance of one type by calling a class or function with injected arguments."""

    package: str | None = None
    """The package whose classes can be injected without registration."""
    values: Mapping[type, object] = {}
    """Existing instances by type, for this recipe and the classes of its package; set by `arguments`."""

    def __init__(self, make: Callable[..., Any], *, overrides: Mapping[Any, Any] | None = None) -> None:
        """Creates a recipe.

        Args:
            make: A class or a function; the function may be asynchronous.
            overrides: The types to inject in place of annotated ones.
        """
        self.label = name_of(make)
        self._make = make
        self._overrides = {key_of(kind): other for kind, other in (overrides or {}).items()}

    def arguments(self) -> tuple[Argument, ...]:
        """Returns the arguments to inject.

        Raises:
            WiringError: An annotation can't be resolved.
        """
        return tuple(argument.overridden(self._overrides) for argument in arguments_of(self._make, self.label))

    async def build(self, *arguments: Any, **named: Any) -> object:
        """Returns a new instance."""
        instance = self._make(*arguments, **named)
        return await instance if inspect.isawaitable(instance) else instance

    def translate_error(self, error: Exception) -> Exception:
        """Returns the exception to raise for an error in building or entering an instance."""
        return error


class Container:
    """Builds each instance on first use, and closes the instances in reverse order on exit.

    An instance that is an asynchronous context manager is entered. Concurrent first calls build only one instance.
    """

    def __init__(self, *, autowired: str, overrides: Mapping[Any, Any] | None = None) -> None:
        """Creates an empty container.

        Args:
            autowired: The package whose classes are built from their annotations without registration.
            overrides: The types to inject into autowired classes in place of annotated ones.
        """
        self._autowired = autowired
        self._overrides = overrides
        self._recipes: dict[str, Recipe] = {}
        self._injectables: dict[str, str] = {}
        self._plans: dict[str, Plan] = {}
        self._instances: dict[str, Any] = {}
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Returns the container; no instance is built yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the instances in reverse order; a failure to close one is logged, and the others are still closed."""
        await self._stack.aclose()

    @property
    def injectables(self) -> list[str]:
        """The names of the listed injectable types, sorted."""
        return sorted(self._injectables.values())

    def register(
        self, kind: "type[T] | LazyType[T]", recipe: Recipe | Callable[..., Any], *, listed: bool = True
    ) -> None:
        """Registers a type, replacing an earlier registration.

        Args:
            kind: The type.
            recipe: Builds the instance.
            listed: Whether error messages list the type as injectable.
        """
        self._recipes[key_of(kind)] = recipe if isinstance(recipe, Recipe) else Recipe(recipe)
        self._plans.pop(key_of(kind), None)
        if listed:
            self._injectables[key_of(kind)] = name_of(kind)

    def register_value(self, kind: type[T], value: T) -> None:
        """Registers an existing instance; the container neither enters nor closes it."""
        self.register(kind, lambda: value)
        self._instances[key_of(kind)] = value

    async def get(self, kind: "type[T] | LazyType[T]") -> T:
        """Returns the instance of a type; the first call builds it and its dependencies.

        Raises:
            WiringError: The instance can't be built.
        """
        key = key_of(kind)
        if key not in self._instances:
            self.check(kind)
            await self._instance(key)
        instance: T = self._instances[key]
        return instance

    def check(self, *kinds: Any) -> None:
        """Returns if the annotations of all these types and their dependencies resolve; imports what builds them.

        Raises:
            WiringError: A type or one of its dependencies can't be built.
        """
        for kind in kinds:
            self._check(kind, ())

    def needs(self, kind: Any, other: Any) -> bool:
        """Returns whether `kind` depends on `other`, directly or indirectly.

        Raises:
            WiringError: `kind` can't be built.
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
        arguments = recipe.arguments()
        self._share_values(recipe)
        plan = tuple((argument, found) for argument in arguments if (found := self._find(argument, recipe)))
        for _, need in plan:
            self._check(need, (*path, kind))
        self._plans[key] = plan

    def _share_values(self, recipe: Recipe) -> None:
        for kind, value in recipe.values.items():
            if self._instances.setdefault(key_of(kind), value) != value:
                raise WiringError(f"{recipe.label} shares its settings with an adapter that has other values for them")
            self.register(kind, _Value(value), listed=False)

    def _find(self, argument: Argument, recipe: Recipe) -> Any:
        """Returns the type to inject for the argument, or None if the argument keeps its default."""
        found = next((kind for kind in argument.types if self._provides(kind, recipe.package)), None)
        if found is not None or not argument.required:
            return found
        shared = next((kind for kind in argument.types if _is_class_of(kind, recipe.package)), None)
        if shared is None:
            raise WiringError(
                f"{recipe.label} requires {argument}, which {_reason(argument)}; "
                f"injectable types: {', '.join(self.injectables)}"
            )
        self.register(shared, _SharedRecipe(shared, recipe), listed=False)
        return shared

    def _provides(self, kind: Any, package: str | None = None) -> bool:
        if key_of(kind) not in self._recipes and _is_class_of(kind, self._autowired):
            self.register(kind, Recipe(kind, overrides=self._overrides), listed=False)
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
            translated = recipe.translate_error(error)
            if translated is error:
                raise
            raise translated from error
        return instance


class _Value(Recipe):
    """An existing instance."""

    def __init__(self, value: object) -> None:
        super().__init__(lambda: value)


class _SharedRecipe(Recipe):
    """Builds a class that adapters of one package share; errors name the adapter that required it first."""

    def __init__(self, make: type, first: Recipe) -> None:
        super().__init__(make)
        self.package = first.package
        self.label = f"{first.label}: {name_of(make)}"
        self._first = first

    def translate_error(self, error: Exception) -> Exception:
        return self._first.translate_error(error)


async def _close(instance: AbstractAsyncContextManager[Any], label: str) -> None:
    try:
        await instance.__aexit__(None, None, None)
    except Exception as error:  # noqa: BLE001 - the other instances must still be closed
        log.warning("%s failed to close: %s", label, one_line(error))


def _reason(argument: Argument) -> str:
    return "can't be injected" if argument.types else "has no annotated type"


def _is_class_of(kind: Any, package: str | None) -> bool:
    """Returns whether the type is a concrete class of the package."""
    return (
        package is not None
        and inspect.isclass(kind)
        and f"{kind.__module__}.".startswith(f"{package}.")
        and not inspect.isabstract(kind)
        and not getattr(kind, "_is_protocol", False)
    )
