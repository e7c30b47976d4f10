import instructor
from openai import OpenAI
from pydantic import BaseModel


class Answer(BaseModel):
    text: str


client = instructor.from_openai(
    OpenAI(base_url="http://localhost:4000/v1", api_key="sk-myinstancekey"),
    mode=instructor.Mode.JSON_SCHEMA,  # the default mode, TOOLS, doesn't work
)
answer = client.chat.completions.create(
    model="demo-bot", messages=[{"role": "user", "content": "Greet me."}], response_model=Answer
)
print(answer.text)
