// The official client for Node.
import OpenAI from "openai";

import { counts, drive, versionOf } from "../driving.mjs";
import { explainingFetch } from "../explaining_fetch.mjs";

function clientOf(call, options = {}) {
  return new OpenAI({ baseURL: call.base_url, apiKey: call.key, ...call.patience, ...options });
}

function parameters(call) {
  return { model: call.model, messages: call.messages };
}

function seenIn(answer) {
  const [{ message, finish_reason }] = answer.choices;
  return { text: message.content, role: message.role, finish: finish_reason, usage: counts(answer.usage) };
}

async function models(call) {
  const found = [];
  for await (const model of clientOf(call).models.list()) found.push(model.id);
  return { models: found };
}

async function retrieve(call) {
  return { models: [(await clientOf(call).models.retrieve(call.model)).id] };
}

async function answer(call) {
  return seenIn(await clientOf(call).chat.completions.create(parameters(call)));
}

async function answer_raw(call) {
  const request = clientOf(call).chat.completions.create(parameters(call));
  const { data, response } = await request.withResponse();
  return { ...seenIn(data), request_id: response.headers.get("x-request-id") };
}

async function stream(call) {
  const chunks = await clientOf(call).chat.completions.create({ ...parameters(call), ...call.streamOptions, stream: true });
  return await listen(call, chunks);
}

async function listen(call, chunks, leave = () => {}) {
  const seen = {};
  for await (const chunk of chunks) {
    if (chunk.usage) seen.usage = counts(chunk.usage);
    for (const { delta, finish_reason } of chunk.choices) {
      seen.role ??= delta.role ?? "none"; // the first chunk must contain the role
      seen.finish = finish_reason;
      if (call.report(delta.content)) {
        leave();
        return seen;
      }
    }
  }
  return seen;
}

async function stream_aborted(call) {
  const chunks = await clientOf(call).chat.completions.create({ ...parameters(call), ...call.streamOptions, stream: true });
  return await listen(call, chunks, () => chunks.controller.abort());
}

async function stream_helper(call) {
  const stream = clientOf(call).chat.completions.stream({ ...parameters(call), ...call.streamOptions });
  const seen = await listen(call, stream);
  return call.stop_after ? seen : seenIn(await stream.finalChatCompletion());
}

/** Makes a call with a timeout that is shorter than the response takes. */
async function impatient(call) {
  return seenIn(await clientOf(call).chat.completions.create(parameters(call), { timeout: 200 }));
}

async function explained(call) {
  return seenIn(await clientOf(call, { fetch: explainingFetch }).chat.completions.create(parameters(call)));
}

const answers = { answer, answer_raw, patient: answer, impatient, explained };
const verbs = { models, retrieve, ...answers, stream, stream_aborted, stream_helper };
await drive(versionOf("openai"), verbs);
