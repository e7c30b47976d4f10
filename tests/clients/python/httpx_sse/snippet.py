import json

import httpx

with httpx.stream(
    "POST",
    "http://localhost:4000/v1/chat/completions",
    headers={"Authorization": "Bearer sk-myinstancekey"},
    json={"model": "demo-bot", "stream": True, "messages": [{"role": "user", "content": "Hello!"}]},
    timeout=60,
) as response:
    for line in response.iter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                raise RuntimeError(event["error"]["message"])
            for choice in event["choices"]:
                print(choice["delta"].get("content", ""), end="", flush=True)
