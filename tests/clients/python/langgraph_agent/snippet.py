from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="http://localhost:4000/v1", api_key="sk-myinstancekey", model="demo-bot")
agent = create_agent(model)

print(agent.invoke({"messages": [{"role": "user", "content": "Hello!"}]})["messages"][-1].content)
