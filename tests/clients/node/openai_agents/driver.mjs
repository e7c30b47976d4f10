// OpenAI's Agents SDK for Node, with its Chat Completions model.
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";

import { drive, versionOf } from "../driving.mjs";
import { explainingFetch } from "../explaining_fetch.mjs";

setTracingDisabled(true);

function agentOf(call, { tools = [], ...options } = {}) {
  const client = new OpenAI({ baseURL: call.base_url, apiKey: call.key, ...call.patience, ...options });
  return new Agent({ name: "Assistant", model: new OpenAIChatCompletionsModel(client, call.model), tools });
}

function inputOf(call) {
  return call.messages.map(({ role, content }) =>
    role === "user"
      ? { role, content: typeof content === "string" ? content : content.map(({ text }) => ({ type: "input_text", text })) }
      : { role, status: "completed", content: [{ type: "output_text", text: content }] },
  );
}

function seenIn(result) {
  const { usage } = result.rawResponses.at(-1);
  return { text: result.finalOutput, usage: [usage.inputTokens, usage.outputTokens] };
}

async function answer(call, options) {
  return seenIn(await run(agentOf(call, options), inputOf(call)));
}

async function stream(call) {
  const leaving = new AbortController();
  const result = await run(agentOf(call), inputOf(call), { stream: true, signal: leaving.signal });
  for await (const event of result) {
    if (event.type !== "raw_model_stream_event" || event.data.type !== "output_text_delta") continue;
    if (call.report(event.data.delta)) {
      leaving.abort();
      return {};
    }
  }
  await result.completed;
  return seenIn(result);
}

async function tools(call) {
  let calls = 0;
  const multiply = tool({
    name: "multiply",
    description: "Multiplies two numbers.",
    parameters: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
    execute: ({ a, b }) => ((calls += 1), a * b),
  });
  return { ...(await answer(call, { tools: [multiply] })), calls };
}

async function explained(call) {
  return await answer(call, { fetch: explainingFetch });
}

await drive(versionOf("@openai/agents"), { answer: (call) => answer(call), stream, tools, explained });
