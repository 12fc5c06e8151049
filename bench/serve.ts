import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startLocalIdp, startLocalSts } from "../src/testing/index.js";
import { workload } from "./fresh-process.js";
import { figure, type PartResult } from "./report.js";
import { median, quantile } from "./sampling.js";

const CLI = fileURLToPath(new URL("../dist/bin.cjs", import.meta.url));

const REQUESTS = 2_000;
const CONCURRENCY = 50;
const MOST_MS = 25;

/** How long `serve` takes for its answers while 50 clients ask without a pause. */
export async function servePart(): Promise<PartResult> {
  await using idp = await startLocalIdp();
  await using sts = await startLocalSts();
  using surroundings = workload(await idp.issueToken(), sts.url);
  await using server = await startServer(surroundings.env);
  const callsBefore = sts.requests.length;
  const times = await askByTurns(server.url, server.token);
  const calls = sts.requests.length - callsBefore;
  const p99 = quantile(times, 0.99);
  const cells = [median(times), quantile(times, 0.95), p99, Math.max(...times)];
  return {
    tables: [
      {
        title: "serve: answers of the container-credentials endpoint",
        note: `${REQUESTS} requests over ${CONCURRENCY} connections, from another process than the server.`,
        columns: ["", "median", "p95", "p99", "longest", "STS calls after the first"],
        rows: [["built command", ...cells.map((ms) => figure(ms, "ms")), String(calls)]],
      },
    ],
    promises: [
      {
        what: `serve, ${REQUESTS} requests at concurrency ${CONCURRENCY}: p99`,
        limit: `≤ ${MOST_MS} ms, without another STS call`,
        measured: `${figure(p99, "ms")}, ${calls} STS calls`,
        kept: p99 <= MOST_MS && calls === 0,
      },
    ],
  };
}

async function startServer(env: NodeJS.ProcessEnv) {
  const folder = join(env.AWS_CONFIG_FILE ?? "", "..", "tokens");
  const args = [CLI, "serve", "--listen", "127.0.0.1:0", "--token-dir", folder];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (piece) => {
      const [, ready] = /ready at (\S+)/.exec(String(piece)) ?? [];
      if (ready !== undefined) resolve(ready);
    });
    child.once("close", () => reject(new Error("serve ended before it was ready")));
  });
  return {
    url: `${url}/v1/roles/default`,
    token: await readFile(join(folder, "default.token"), "utf8"),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function askByTurns(url: string, authorization: string): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const times: number[] = [];
  let left = REQUESTS;
  const client = async () => {
    while (left > 0) {
      left -= 1;
      const start = performance.now();
      await new Promise<void>((resolve, reject) => {
        get(url, { agent, headers: { authorization } }, (response) => {
          if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`));
          response.resume();
          response.once("end", resolve);
        }).once("error", reject);
      });
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
  agent.destroy();
  return times;
}
