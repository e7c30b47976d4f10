// LangChain.js's ChatOpenAI.
import { ChatOpenAI } from "@langchain/openai";

import { drive, versionOf } from "../driving.mjs";
import { explainingFetch } from "../explaining_fetch.mjs";

function modelOf(call, configuration = {}) {
  return new ChatOpenAI({
    model: call.model,
    apiKey: call.key,
    streamUsage: call.usage,
    configuration: { baseURL: call.base_url, ...configuration },
    ...call.patience,
  });
}

function seenIn(message) {
  const { usage_metadata: usage, response_metadata: metadata } = message;
  const raw = metadata.usage;
  return {
    text: message.content,
    role: message.getType() === "ai" ? "assistant" : message.getType(),
    finish: metadata.finish_reason,
    usage: usage?.input_tokens === undefined ? [raw.prompt_tokens, raw.completion_tokens] : tokens(usage),
  };
}

function tokens(usage) {
  return [usage.input_tokens, usage.output_tokens];
}

async function answer(call) {
  return seenIn(await modelOf(call).invoke(call.messages));
}

async function answer_batch(call) {
  const [, second] = await modelOf(call).batch([call.messages, call.messages]);
  return seenIn(second);
}

async function stream(call) {
  const seen = {};
  for await (const chunk of await modelOf(call).stream(call.messages)) {
    if (chunk.usage_metadata?.input_tokens !== undefined) seen.usage = tokens(chunk.usage_metadata);
    seen.finish = chunk.response_metadata.finish_reason ?? seen.finish;
    if (call.report(chunk.content)) break;
  }
  return seen;
}

async function explained(call) {
  return seenIn(await modelOf(call, { fetch: explainingFetch }).invoke(call.messages));
}

await drive(versionOf("@langchain/openai"), { answer, answer_batch, stream, explained });
