import { ChatOpenAI } from "@langchain/openai";

const model = new ChatOpenAI({
  model: "demo-bot",
  apiKey: "sk-myinstancekey",
  configuration: { baseURL: "http://localhost:4000/v1" },
});
console.log((await model.invoke("Hello!")).content);
