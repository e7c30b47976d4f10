// Runs inside a client's process: reads calls from standard input and writes results, as JSON lines.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const NODE_MODULES = new URL("node_modules/", import.meta.url);

function send(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Returns the version of an installed package. */
export function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`${name}/package.json`, NODE_MODULES))).version;
}

/** One call to make with the client. */
class Call {
  reported = 0;

  constructor(parameters) {
    Object.assign(this, parameters);
  }

  /** The client's retry option; without it, the client uses its default. */
  get patience() {
    return this.retries === null ? {} : { maxRetries: this.retries };
  }

  get streamOptions() {
    return this.usage ? { stream_options: { include_usage: true } } : {};
  }

  /** Reports a delta as soon as the client delivers it; returns whether to leave the stream. */
  report(piece) {
    if (piece) {
      this.reported += 1;
      send({ piece });
    }
    return this.reported === this.stop_after;
  }
}

/** Returns the tokens of a usage object in OpenAI's form. */
export function counts(usage) {
  return usage ? [usage.prompt_tokens, usage.completion_tokens] : null;
}

/** Runs an example as printed, in a separate process, and returns its output. */
function runSnippet(call) {
  const options = { cwd: new URL(".", import.meta.url), encoding: "utf8" };
  const done = spawnSync(process.execPath, ["--input-type=module", "--eval", call.code], options);
  if (done.status !== 0) throw new Error(done.stderr);
  return { text: done.stdout };
}

/**
 * Makes calls until standard input ends.
 *
 * Each verb returns its result. `detailOf` reads the server's message from an error whose text doesn't contain it.
 */
export async function drive(version, verbs, detailOf = () => null) {
  const all = { snippet: runSnippet, ...verbs };
  send({ version, verbs: Object.keys(all) });
  for await (const line of createInterface({ input: process.stdin })) {
    const { verb, ...parameters } = JSON.parse(line);
    try {
      send({ result: await all[verb](new Call(parameters)) });
    } catch (error) {
      send({ error: describe(error, detailOf) });
    }
  }
}

function describe(error, detailOf) {
  return {
    type: error.constructor.name,
    text: error.message,
    status: error.status ?? error.statusCode ?? null,
    detail: detailOf(error) ?? null,
  };
}
