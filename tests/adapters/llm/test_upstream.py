"""The scripted upstream in a thread, for tests without an event loop."""

import json
from urllib.request import Request, urlopen

from support.openai_replies import openai_responder
from support.upstream import upstream_in_thread


def test_upstream_in_a_thread_responds_and_records_requests() -> None:
    with upstream_in_thread() as thread:
        thread.upstream.otherwise = openai_responder("ant")
        body = {"messages": [{"role": "user", "content": "?"}]}
        request = Request(f"{thread.upstream.url}/v1/chat/completions", json.dumps(body).encode())  # noqa: S310 - http
        with urlopen(request) as response:  # noqa: S310 - http
            answer = json.load(response)
        received = thread.run(thread.upstream.request())
        thread.run(received.hung_up.wait())
    assert answer["choices"][0]["message"]["content"] == "ant"
    assert received.json() == body
