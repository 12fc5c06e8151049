import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { ROOT } from "../../support/sources.js";
import { run, UNSHARE } from "./namespaces.js";

/** Above the doctor's own limit of 20 s, on a machine that is busy with other things. */
const LIMIT_MS = 40_000;

/** The shell reports that it has its namespaces, and waits until the world around it exists. */
const SCRIPT = `set -e
echo ready
read -r go
ip link set lo up
ip -batch "$1/links"
mount --bind "$1/resolv.conf" /etc/resolv.conf
mount --bind "$1/hosts" /etc/hosts
shift
exec "$@"`;

export interface WorkloadOptions {
  /** The command whose `doctor` is run. */
  readonly command: string;
  /** Its own, for its files. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

/** A namespace in which nothing but the doctor runs. */
export class Workload implements Disposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #folder: string;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  static async start({ command, folder, env, args }: WorkloadOptions): Promise<Workload> {
    const doctor = [process.execPath, command, "doctor", "--json", ...args];
    const shell = ["sh", "-c", SCRIPT, "sh", folder, ...doctor];
    const child = spawn("unshare", [...UNSHARE, ...shell], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...env },
      stdio: ["pipe", "pipe", "inherit"],
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    const workload = new Workload(child, folder);
    await once(child.stdout, "readable");
    child.stdout.read("ready\n".length);
    return workload;
  }

  /** Links it to this process's namespace: `link` here, `eth0` there. */
  link(link: string): void {
    const pair = `link add ${link} type veth peer name eth0 netns ${this.#child.pid}`;
    run("ip", pair.split(" "));
  }

  /** Runs the doctor; `links` are arguments of `ip` for this side, a line each. */
  async diagnose(links: readonly string[], resolver: string): Promise<Diagnosis> {
    const file = (name: string, lines: readonly string[]) =>
      writeFileSync(join(this.#folder, name), `${lines.join("\n")}\n`);
    file("links", links);
    file("resolv.conf", [`nameserver ${resolver}`]);
    file("hosts", ["127.0.0.1 localhost"]);
    this.#child.stdin.end("go\n");
    return JSON.parse(await text(this.#child.stdout)) as Diagnosis;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
