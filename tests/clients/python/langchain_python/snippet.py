from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="http://localhost:4000/v1", api_key="sk-myinstancekey", model="demo-bot")

print(model.invoke("Hello!").content)
