import litellm

answer = litellm.completion(
    model="openai/demo-bot",  # the prefix selects the protocol
    api_base="http://localhost:4000/v1",
    api_key="sk-myinstancekey",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(answer.choices[0].message.content)
