// The Vercel AI SDK with its provider for OpenAI-compatible servers.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";

import { drive, versionOf } from "../driving.mjs";
import { explainingFetch } from "../explaining_fetch.mjs";

function parameters(call, options = {}) {
  const provider = createOpenAICompatible({
    name: "polyant",
    baseURL: call.base_url,
    apiKey: call.key,
    includeUsage: call.usage,
    ...options,
  });
  return { model: provider(call.model), messages: call.messages, ...call.patience };
}

function tokens(usage) {
  return [usage.inputTokens, usage.outputTokens];
}

async function answer(call, options) {
  const { text, finishReason, usage } = await generateText(parameters(call, options));
  return { text, finish: finishReason, usage: tokens(usage) };
}

async function stream(call) {
  const leaving = new AbortController();
  const seen = {};
  const { fullStream } = streamText({ ...parameters(call), abortSignal: leaving.signal, onError() {} });
  for await (const part of fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "finish") {
      seen.finish = part.finishReason;
      seen.usage = tokens(part.totalUsage);
    }
    if (part.type === "text-delta" && call.report(part.text)) {
      leaving.abort();
      break;
    }
  }
  return seen;
}

async function explained(call) {
  return await answer(call, { fetch: explainingFetch });
}

function detailOf(error) {
  return error.responseBody && JSON.parse(error.responseBody).message;
}

const version = `${versionOf("ai")}, provider ${versionOf("@ai-sdk/openai-compatible")}`;
await drive(version, { answer: (call) => answer(call), stream, explained }, detailOf);
