from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

generator = OpenAIChatGenerator(
    api_base_url="http://localhost:4000/v1", api_key=Secret.from_token("sk-myinstancekey"), model="demo-bot"
)
print(generator.run([ChatMessage.from_user("Hello!")])["replies"][0].text)
