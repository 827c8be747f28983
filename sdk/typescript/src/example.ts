/** Submits a program and follows it to its verdict: `node dist/src/example.js BASE_URL EXERCISE RUNTIME FILE`. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";

import { createClient } from "../generated/client/index.js";
import { createSubmission } from "../generated/sdk.gen.js";
import type { Problem } from "../generated/types.gen.js";
import { follow, Refused, type Followed } from "./stream.js";

const [baseUrl, exercise, runtime, file] = process.argv.slice(2);
const token = process.env["GUICHET_TOKEN"];
if (!baseUrl || !exercise || !runtime || !file || !token) {
  console.error("usage: GUICHET_TOKEN=… node dist/src/example.js BASE_URL EXERCISE RUNTIME FILE");
  process.exit(64);
}
process.exitCode = await main(baseUrl, token, {
  exercise_id: exercise,
  runtime,
  files: [{ path: basename(file), content: readFileSync(file, "utf8") }],
});

async function main(baseUrl: string, token: string, body: Parameters<typeof createSubmission>[0]["body"]): Promise<number> {
  const client = createClient({ baseUrl, auth: token });
  const { data, error } = await createSubmission({ client, body });
  if (data === undefined) return tellProblem(error);
  console.log(`submitted ${data.id}`);
  try {
    for await (const event of follow(data.id, { baseUrl, token })) tell(event);
  } catch (refused) {
    if (refused instanceof Refused && refused.problem) return tellProblem(refused.problem);
    throw refused;
  }
  return 0;
}

function tell({ name, data }: Followed): void {
  switch (data.type) {
    case "submission.queued":
    case "queue.position":
    case "submission.requeued":
      return console.log(`${name}: place ${data.position}`);
    case "submission.test_finished":
      return console.log(`${name}: ${data.test.index} of ${data.of}, ${data.test.name}, ${data.test.verdict}`);
    case "submission.finished":
      return console.log(`${name}: ${data.submission.result?.verdict}, ${data.submission.result?.score} points`);
    case "submission.started":
    case "submission.compiled":
    case "submission.failed":
    case "submission.cancelled":
    case "stream.snapshot":
    case "stream.reset":
      return console.log(name);
    default:
      console.log(`${name}: not known to this client`);
  }
}

function tellProblem(problem: Problem): number {
  console.log(`${problem.status} ${problem.code}: ${problem.title}`);
  for (const field of problem.errors) console.log(`  ${field.in} ${field.pointer}: ${field.message}`);
  return 2;
}
