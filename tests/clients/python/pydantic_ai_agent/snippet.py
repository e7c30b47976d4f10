from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url="http://localhost:4000/v1", api_key="sk-myinstancekey")
agent = Agent(OpenAIChatModel("demo-bot", provider=provider))

print(agent.run_sync("Hello!").output)
