"""The pages of the admin panel, and its cost for an engine that shows none."""

from collections.abc import Iterator
from urllib.parse import urlencode
from urllib.request import HTTPErrorProcessor, Request, build_opener

from bench.figures import Aim, Figure, Sample, cpu, interleaved, ratio
from bench.harness import DEFAULT_INSTANCES, Harness, Target
from bench.jobs import Load

_INSTANCES = 1_000
_TURNS = 1_000_000
_EMAIL, _PASSWORD = "admin@localhost", "correct horse battery staple"
_TABS = ("", "/settings", "/prompts", "/tools", "/skills", "/history")
_PAGES = ("/instances", "/status", "/audit", "/users", *(f"/instances/plain{tab}" for tab in _TABS))
_REQUESTS = 20
_AIM = Aim("<=", 60)


def pages(harness: Harness) -> Iterator[Figure]:
    """Each page with 1,000 instances and a million turns, the database's time included."""
    harness.databases.add_turns(_INSTANCES, _TURNS)
    engine = _engine(harness, "panel", instances=_INSTANCES)
    cookie, relay = _sign_in(engine), harness.relay
    loads = {path: _load(engine, path, cookie) for path in _PAGES}
    bare = interleaved(harness, {"relay": (relay, relay.load())})["relay"]
    before = engine.process.rss()
    found: dict[str, list[Sample]] = {path: [] for path in _PAGES}
    for _ in range(harness.rounds):
        for path, load in loads.items():
            found[path].append(_with_database(harness, engine, load))
    grown = engine.process.rss() - before
    yield cpu("a bare relay request", bare)
    for path, samples in found.items():
        yield ratio(f"{path} / bare relay", samples, bare, _AIM)
    yield Figure(name="memory of a server that has shown pages", value=grown, unit="MiB", aim=Aim("<=", 12))


def idle_panel(harness: Harness) -> Iterator[Figure]:
    """Chat requests of an engine with the panel that shows no page, and of one without it."""
    on, off = _engine(harness, "panel on"), harness.engine("panel off", PANEL="off")
    found = interleaved(harness, {"on": (on, on.load()), "off": (off, off.load())}, times=2)
    yield cpu("panel off", found["off"])
    yield ratio("panel on / off", found["on"], found["off"], Aim("<", 1.20))


def _engine(harness: Harness, name: str, *, instances: int = DEFAULT_INSTANCES) -> Target:
    return harness.engine(
        name,
        instances=instances,
        PANEL="on",
        INITIAL_ADMIN_EMAIL=_EMAIL,
        INITIAL_ADMIN_PASSWORD=_PASSWORD,
    )


class _NoRedirects(HTTPErrorProcessor):
    """Returns redirects as responses."""

    def http_response(self, request: Request, response: object) -> object:  # noqa: ARG002
        return response


def _sign_in(engine: Target) -> str:
    url = Harness.url_of(engine)
    form = urlencode({"email": _EMAIL, "secret.password": _PASSWORD, "next": "/instances"}).encode()
    response = build_opener(_NoRedirects).open(Request(f"{url}/login", form, {"Origin": url}))  # noqa: S310
    cookie = response.headers.get("Set-Cookie")
    if cookie is None:
        raise SystemExit(f"bench: signing in was answered with {response.status}")
    return str(cookie.partition(";")[0])


def _load(engine: Target, path: str, cookie: str) -> Load:
    headers = {"Cookie": cookie}
    return Load(port=engine.port, path=path, headers=headers, connections=1, addresses=1, requests=_REQUESTS)


def _with_database(harness: Harness, engine: Target, load: Load) -> Sample:
    """Returns one round of a page, with the CPU time of the database server."""
    before = harness.databases.cpu()
    seconds, outcome = harness.loader.load(engine.process, load)
    if outcome.failures:
        raise SystemExit(f"bench: {outcome.failures} of {outcome.requests} responses to {load.path} are wrong")
    total = seconds + harness.databases.cpu() - before
    return Sample(1_000 * total / outcome.requests, total / outcome.seconds, outcome)
