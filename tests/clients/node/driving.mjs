// Drives a client from within: reads calls from standard input and writes what the client saw, as JSON lines.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const NODE_MODULES = new URL("node_modules/", import.meta.url);

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Returns the version of an installed package. */
export function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`${name}/package.json`, NODE_MODULES))).version;
}

/** One thing to do with the client. */
class Call {
  heardSoFar = 0;

  constructor(asked) {
    Object.assign(this, asked);
  }

  /** The client's option for retries under the name it has there; nothing leaves it to its own habits. */
  get patience() {
    return this.retries === null ? {} : { maxRetries: this.retries };
  }

  get streamOptions() {
    return this.usage ? { stream_options: { include_usage: true } } : {};
  }

  /** Reports a piece as soon as the client gives it; returns whether that was enough. */
  heard(piece) {
    if (piece) {
      this.heardSoFar += 1;
      tell({ piece });
    }
    return this.heardSoFar === this.enough;
  }
}

/** Returns the tokens of a usage object in OpenAI's form. */
export function counts(usage) {
  return usage ? [usage.prompt_tokens, usage.completion_tokens] : null;
}

/** Runs an example as it is printed, in a process of its own, and returns what it prints. */
function runSnippet(call) {
  const options = { cwd: new URL(".", import.meta.url), encoding: "utf8" };
  const done = spawnSync(process.execPath, ["--input-type=module", "--eval", call.code], options);
  if (done.status !== 0) throw new Error(done.stderr);
  return { text: done.stdout };
}

/**
 * Does what is asked until standard input ends.
 *
 * Each verb returns what it saw. `detailOf` says how a developer gets at the server's message where the error's own text
 * doesn't have it.
 */
export async function drive(version, verbs, detailOf = () => null) {
  const all = { snippet: runSnippet, ...verbs };
  tell({ version, verbs: Object.keys(all) });
  for await (const line of createInterface({ input: process.stdin })) {
    const { verb, ...asked } = JSON.parse(line);
    try {
      tell({ result: await all[verb](new Call(asked)) });
    } catch (error) {
      tell({ error: describe(error, detailOf) });
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
