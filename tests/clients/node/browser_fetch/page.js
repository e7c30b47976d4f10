// The code that runs in the page; it uses only the browser's own fetch.
class StatusError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function request(call, path, options) {
  const response = await fetch(`${call.base_url}${path}`, {
    ...options,
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${call.key}` },
  });
  if (!response.ok) throw new StatusError(response.status, (await response.json()).message);
  return response;
}

function chat(call, more, signal) {
  const body = JSON.stringify({ model: call.model, messages: call.messages, ...more });
  return request(call, "/chat/completions", { method: "POST", body, signal });
}

async function* eventsOf(response) {
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice("data: ".length));
    }
  }
}

const verbs = {
  async models(call) {
    const { data } = await (await request(call, "/models")).json();
    return { models: data.map((model) => model.id) };
  },

  async answer(call) {
    const response = await chat(call, {});
    const { choices, usage } = await response.json();
    const [{ message, finish_reason }] = choices;
    return {
      text: message.content,
      role: message.role,
      finish: finish_reason,
      usage: [usage.prompt_tokens, usage.completion_tokens],
      request_id: response.headers.get("x-request-id"),
    };
  },

  async stream(call) {
    const leaving = new AbortController();
    const seen = {};
    const options = call.usage ? { stream_options: { include_usage: true } } : {};
    const response = await chat(call, { stream: true, ...options }, leaving.signal);
    for await (const event of eventsOf(response)) {
      if (event.error) throw new StatusError(event.error.statusCode, event.error.message);
      if (event.usage) seen.usage = [event.usage.prompt_tokens, event.usage.completion_tokens];
      for (const { delta, finish_reason } of event.choices) {
        seen.role ??= delta.role ?? "none";
        seen.finish = finish_reason;
        if (delta.content && (await window.report(delta.content))) {
          leaving.abort();
          return seen;
        }
      }
    }
    return seen;
  },
};

window.polyant = async (verb, call) => {
  try {
    return { seen: await verbs[verb](call) };
  } catch (error) {
    return { error: { text: error.message, status: error.status } };
  }
};
