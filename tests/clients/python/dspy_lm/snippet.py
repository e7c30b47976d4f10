import dspy

lm = dspy.LM("openai/demo-bot", api_base="http://localhost:4000/v1", api_key="sk-myinstancekey", cache=False)

print(lm("Hello!")[0])
