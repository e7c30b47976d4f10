// A page in a browser that has its own origin and calls the server with fetch.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { drive } from "../driving.mjs";

/** Serves an empty page and returns its origin. */
async function servePage() {
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html").end("<!doctype html><title>A third-party page</title>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const page = await browser.newPage();
await page.goto(await servePage());
await page.addScriptTag({ path: fileURLToPath(new URL("page.js", import.meta.url)) });

let current;
await page.exposeFunction("report", (piece) => current.report(piece));

/** Runs a function of the page, and throws its errors without the browser's stack trace. */
function inPage(name) {
  return async (call) => {
    current = call;
    const { seen, error } = await page.evaluate(([verb, parameters]) => window.polyant(verb, parameters), [name, { ...call }]);
    if (error) throw Object.assign(new PageError(error.text), { status: error.status });
    return seen;
  };
}

class PageError extends Error {}

async function snippet(call) {
  const printed = [];
  const listen = (message) => printed.push(message.text());
  page.on("console", listen);
  await page.evaluate(`(async () => {${call.code}})()`);
  page.off("console", listen);
  return { text: printed.join("\n") };
}

const verbs = { models: inPage("models"), answer: inPage("answer"), stream: inPage("stream"), snippet };
await drive(browser.version(), verbs);
await browser.close();
