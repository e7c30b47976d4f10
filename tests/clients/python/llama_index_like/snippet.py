from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    api_base="http://localhost:4000/v1",
    api_key="sk-myinstancekey",
    model="demo-bot",
    is_chat_model=True,
)
print(llm.complete("Hello!"))
