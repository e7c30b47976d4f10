from smolagents import OpenAIModel

model = OpenAIModel("demo-bot", api_base="http://localhost:4000/v1", api_key="sk-myinstancekey")

print(model([{"role": "user", "content": [{"type": "text", "text": "Hello!"}]}]).content)
