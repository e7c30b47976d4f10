from openai import OpenAI

client = OpenAI(base_url="http://localhost:4000/v1", api_key="sk-myinstancekey")

answer = client.chat.completions.create(
    model="demo-bot",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(answer.choices[0].message.content)
