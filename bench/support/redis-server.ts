import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findProgram } from "./find-program.js";

/** The path of the program, if it is installed. */
export const REDIS_SERVER = findProgram("redis-server");

/** A Redis of the system on an ephemeral loopback port, without persistence. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly process: ChildProcess;
}

/** Starts one; in cluster mode it is a cluster of one node that needs its slots. */
export async function startRedisServer({ cluster = false } = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "redis-"));
  const port = await freePort();
  const args = [
    ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
    ...(cluster
      ? [
          "--cluster-enabled",
          "yes",
          "--cluster-port",
          String(await freePort()),
          "--cluster-announce-ip",
          "127.0.0.1",
        ]
      : []),
  ];
  const child = spawn(REDIS_SERVER ?? "redis-server", args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) if (/Ready to accept connections/.test(line)) break;
  child.stdout.resume();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    process: child,
    async [Symbol.asyncDispose]() {
      const isGone = child.exitCode !== null || child.signalCode !== null;
      const gone = isGone ? undefined : once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
