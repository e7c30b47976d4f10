import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";

const polyant = createOpenAICompatible({
  name: "polyant",
  baseURL: "http://localhost:4000/v1",
  apiKey: "sk-myinstancekey",
});
const { text } = await generateText({ model: polyant("demo-bot"), prompt: "Hello!" });
console.log(text);
