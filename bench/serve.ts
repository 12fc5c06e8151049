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

/** Servers of each kind, each with its first responses: a single one would depend on the machine. */
const SERVERS = 5;

/** The time of the first responses of `serve`, while 50 clients send requests without a pause. */
export async function servePart(): Promise<PartResult> {
  await using idp = await startLocalIdp();
  await using sts = await startLocalSts();
  using surroundings = workload(await idp.issueToken(), sts.url);
  await using warmUp = await startPlainServer();
  // Warm up, so that the first connections of this process are not measured.
  await callInTurn(warmUp.url, warmUp.token);
  const plain: Percentiles[] = [];
  const built: Percentiles[] = [];
  let calls = 0;
  for (let server = 0; server < SERVERS; server += 1) {
    await using plainServer = await startPlainServer();
    plain.push(percentiles(await callInTurn(plainServer.url, plainServer.token)));
    await using builtServer = await startServer(surroundings.env);
    // After its first response, the server has credentials.
    await callInTurn(builtServer.url, builtServer.token, 1);
    const callsBefore = sts.requests.length;
    built.push(percentiles(await callInTurn(builtServer.url, builtServer.token)));
    calls += sts.requests.length - callsBefore;
  }
  const p99 = median(built.map((times) => times.p99));
  return {
    tables: [
      {
        title: "serve: first responses of the container-credentials endpoint",
        note: `${REQUESTS} requests over ${CONCURRENCY} connections, from another process than the server; the median of ${SERVERS} fresh servers.`,
        columns: ["", "median", "p95", "p99", "longest", "STS calls after the first"],
        rows: [
          ["a Node server with a fixed response", ...cells(plain), ""],
          ["built command", ...cells(built), String(calls)],
        ],
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

interface Percentiles {
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  readonly longest: number;
}

function percentiles(times: readonly number[]): Percentiles {
  return {
    median: median(times),
    p95: quantile(times, 0.95),
    p99: quantile(times, 0.99),
    longest: Math.max(...times),
  };
}

function cells(servers: readonly Percentiles[]): string[] {
  return (["median", "p95", "p99", "longest"] as const).map((name) =>
    figure(median(servers.map((times) => times[name])), "ms"),
  );
}

/** The time that Node itself takes for responses of this length. */
const PLAIN_SERVER = `
  const body = JSON.stringify({ Token: "x".repeat(600) });
  require("node:http")
    .createServer((request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(body);
    })
    .listen(0, "127.0.0.1", function () {
      console.log("ready at http://127.0.0.1:" + this.address().port);
    });
`;

async function startPlainServer() {
  return { ...(await startProgram(["-e", PLAIN_SERVER], process.env)), token: "any" };
}

async function startServer(env: NodeJS.ProcessEnv) {
  const folder = join(env.AWS_CONFIG_FILE ?? "", "..", "tokens");
  const args = [CLI, "serve", "--listen", "127.0.0.1:0", "--token-dir", folder];
  const { url, ...rest } = await startProgram(args, env);
  const token = await readFile(join(folder, "default.token"), "utf8");
  return { ...rest, url: `${url}/v1/roles/default`, token };
}

/** Starts a program that reports its address. */
async function startProgram(args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (piece) => {
      const [, ready] = /ready at (\S+)/.exec(String(piece)) ?? [];
      if (ready !== undefined) resolve(ready);
    });
    child.once("close", () => reject(new Error("the server ended before it was ready")));
  });
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function callInTurn(
  url: string,
  authorization: string,
  requests = REQUESTS,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const times: number[] = [];
  let left = requests;
  const client = async () => {
    while (left > 0) {
      left -= 1;
      const start = performance.now();
      await new Promise<void>((resolve, reject) => {
        get(url, { agent, headers: { authorization } }, (response) => {
          if (response.statusCode !== 200) reject(new Error(`returned ${response.statusCode}`));
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
