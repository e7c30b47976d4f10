from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)  # otherwise traces go to OpenAI
client = AsyncOpenAI(base_url="http://localhost:4000/v1", api_key="sk-myinstancekey")
model = OpenAIChatCompletionsModel(model="demo-bot", openai_client=client)  # not the Responses API
agent = Agent(name="Assistant", model=model)

print(Runner.run_sync(agent, "Hello!").final_output)
