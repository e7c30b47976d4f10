import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled } from "@openai/agents";
import OpenAI from "openai";

setTracingDisabled(true); // otherwise traces go to OpenAI
const client = new OpenAI({ baseURL: "http://localhost:4000/v1", apiKey: "sk-myinstancekey" });
const model = new OpenAIChatCompletionsModel(client, "demo-bot"); // not the Responses API
const agent = new Agent({ name: "Assistant", model });

console.log((await run(agent, "Hello!")).finalOutput);
