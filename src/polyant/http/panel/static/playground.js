// A chat with the instance. Everything that comes from the model is set as text, never as HTML.
const root = document.getElementById("playground");
const { slug, name } = root.dataset;
const [chat, say, send, stop, clear, status, req, res] = ["chat", "say", "send", "stop", "clear", "status", "req", "res"].map(
  (id) => document.getElementById(id),
);
const path = `/api/instances/${encodeURIComponent(slug)}`;
const messages = [];
const attached = [];
let running = null;
root.hidden = false;
document.getElementById("no-script").remove();
say.focus();

document.getElementById("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  if ((say.value.trim() || attached.length) && !running) ask(say.value);
});
say.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});
stop.addEventListener("click", () => running?.abort());
clear.addEventListener("click", () => {
  messages.length = 0;
  chat.replaceChildren();
  clear.hidden = true;
  say.focus();
});

document.getElementById("attach")?.addEventListener("click", () => document.getElementById("image").click());
document.getElementById("image")?.addEventListener("change", (event) => {
  attach([...event.target.files]);
  event.target.value = "";
});
say.addEventListener("paste", (event) => {
  const images = [...event.clipboardData.files].filter((file) => file.type.startsWith("image/"));
  if (!images.length || !document.getElementById("attach")) return;
  event.preventDefault();
  attach(images);
});

// Images stay in the page until they are sent; nothing is recorded.
async function attach(files) {
  for (const file of files) attached.push({ name: file.name, shown: URL.createObjectURL(file), url: await dataUrl(file) });
  showAttached();
  status.textContent = `${count(attached.length, "image")} attached.`;
  say.focus();
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}

function showAttached() {
  const list = document.getElementById("attached");
  if (!list) return;
  list.hidden = !attached.length;
  list.replaceChildren(
    ...attached.map((each) => {
      const item = element("li", "", "");
      const remove = button("Remove", () => {
        attached.splice(attached.indexOf(each), 1);
        showAttached();
        say.focus();
      });
      remove.setAttribute("aria-label", `Remove ${each.name}`);
      item.append(picture(each), element("span", "", each.name), remove);
      return item;
    }),
  );
}

function picture({ name, shown }) {
  const image = element("img", "thumb", "");
  image.src = shown;
  image.alt = name;
  return image;
}

async function ask(text) {
  document.getElementById("empty")?.remove();
  say.value = "";
  const images = attached.splice(0);
  showAttached();
  const parts = images.map(({ url }) => ({ type: "image_url", image_url: { url } }));
  messages.push({ role: "user", content: images.length ? [{ type: "text", text }, ...parts] : text });
  const says = turn("You", "turn user").querySelector(".says");
  says.textContent = text;
  says.append(...images.map(picture));
  chat.scrollTop = chat.scrollHeight;
  await answer();
}

async function answer() {
  const shown = turn(name, "turn");
  const says = shown.querySelector(".says");
  const record = { request: { model: slug, stream: true, messages: [...messages] }, response: "" };
  begin(shown, says);
  const began = performance.now();
  let first = null;
  let text = "";
  let problem = "";
  try {
    const response = await fetch(`${path}/playground`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(record.request),
      signal: running.signal,
    });
    record.status = response.status;
    record.id = response.headers.get("x-request-id");
    note(record, `${response.status} · ${response.headers.get("content-type")} · ${record.id}\n\n`);
    if (!response.ok) problem = await failure(response, record);
    else {
      for await (const event of events(response.body, record)) {
        const delta = event.choices?.[0]?.delta?.content ?? "";
        if (event.error) problem = `The response was interrupted: ${event.error.message} (${event.error.statusCode ?? event.error.code})`;
        if (delta && first === null) first = performance.now() - began;
        text += delta;
        keepEnd(() => (says.textContent = text));
      }
    }
  } catch (error) {
    problem = error.name === "AbortError" ? "You stopped this answer." : "The connection to the server broke off.";
  }
  end(shown, says);
  if (problem) fail(shown, problem, record);
  else {
    messages.push({ role: "assistant", content: text });
    figures(shown, record, [seconds(performance.now() - began), first === null ? "no text" : `first text ${seconds(first)}`]);
  }
  status.textContent = problem || `${name} answered: ${text}`;
}

async function failure(response, record) {
  const body = await response.text();
  note(record, body);
  try {
    const error = JSON.parse(body);
    return `${error.message ?? error.error?.message} (${response.status})`;
  } catch {
    return `The server refused the request (${response.status})`;
  }
}

async function* events(stream, record) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    note(record, value);
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (part.startsWith("data: ") && part !== "data: [DONE]") yield JSON.parse(part.slice(6));
    }
  }
}

function turn(who, className) {
  const article = document.createElement("article");
  article.className = className;
  article.append(element("p", "who", who), element("div", "says", ""));
  keepEnd(() => chat.append(article));
  return article;
}

function begin(shown, says) {
  running = new AbortController();
  shown.setAttribute("aria-busy", "true");
  says.classList.add("caret");
  send.setAttribute("aria-disabled", "true");
  stop.hidden = false;
  status.textContent = `${name} is answering.`;
}

function end(shown, says) {
  running = null;
  shown.removeAttribute("aria-busy");
  says.classList.remove("caret");
  send.removeAttribute("aria-disabled");
  stop.hidden = true;
  clear.hidden = false;
}

function fail(shown, problem, record) {
  shown.classList.add("failed");
  const again = button("Try again", () => {
    shown.remove();
    answer();
    say.focus();
  });
  keepEnd(() => shown.append(element("p", "error", problem), row([again, ...fixes(record), inspect(record)])));
}

// A provider that can't be reached or refuses its key is fixed in the settings. Signing in elsewhere keeps the conversation.
function fixes({ status }) {
  if (![401, 502, 503].includes(status)) return [];
  const over = status === 401;
  const link = element("a", "", over ? "Sign in in a new tab" : "Check provider and key");
  link.href = over ? "/login" : `/instances/${encodeURIComponent(slug)}/settings#model-h`;
  if (over) link.target = "_blank";
  return [link];
}

function figures(shown, record, facts) {
  const line = row(facts.map((fact) => element("span", "", fact)));
  const copy = button("Copy");
  copy.dataset.copy = shown.querySelector(".says").id = record.id;
  line.append(copy, inspect(record));
  keepEnd(() => shown.append(line));
  setTimeout(() => addMetrics(line, record, 2), 1200);
}

// The server stores the metrics of a turn a moment after its end.
async function addMetrics(line, record, attempts) {
  const response = await fetch(`${path}/turns?limit=10`);
  if (!response.ok) return;
  const found = (await response.json()).turns.find((each) => each.requestId === record.id);
  if (found) {
    const facts = [count(found.steps, "model call"), count(found.toolCalls, "tool call"), `${found.promptTokens} in, ${found.completionTokens} out`];
    line.querySelector("button").before(...facts.map((fact) => element("span", "", fact)));
  } else if (attempts) setTimeout(() => addMetrics(line, record, attempts - 1), 1500);
}

function inspect(record) {
  return button("Request and response", () => {
    show(record);
    req.scrollIntoView({ block: "nearest" });
    req.focus();
  });
}

function note(record, text) {
  record.response += text;
  show(record);
}

function show(record) {
  const shorter = (_, value) => (typeof value === "string" && value.startsWith("data:") ? `${value.slice(0, 60)}…` : value);
  req.textContent = `POST ${path}/playground\n${JSON.stringify(record.request, shorter, 2)}`;
  res.textContent = record.response;
}

function keepEnd(change) {
  const atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 40;
  change();
  if (atEnd) chat.scrollTop = chat.scrollHeight;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(text, action) {
  const made = element("button", "link", text);
  made.type = "button";
  if (action) made.addEventListener("click", action);
  return made;
}

function row(children) {
  const made = element("div", "figures num", "");
  made.append(...children);
  return made;
}

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
