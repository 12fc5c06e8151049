import { execFileSync, spawnSync } from "node:child_process";

/** Why there are no network namespaces here. */
export interface Refusal {
  readonly reason: string;
  /** Whether something would only have to be installed. */
  readonly isMissingTool: boolean;
}

/**
 * Arguments of `unshare` for a network and mounts of one's own, which end with the processes in them.
 * Who is not root here may be root there, where the system lets everybody have user namespaces.
 */
export const UNSHARE = [
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
  "--net",
  "--mount",
];

/** What every world is built with. */
const TOOLS: Readonly<Record<string, string>> = {
  unshare: "util-linux",
  ip: "iproute2",
  tc: "iproute2",
  nft: "nftables",
};

const CHECK = `set -e
ip link add one type veth peer name two
tc qdisc add dev one root tbf rate 1mbit burst 10kb latency 1s
nft add table inet trial
mount --bind /etc/hosts /etc/hosts`;

/** Tries everything that a world needs, in a namespace that is gone when this returns. */
export function refusal(): Refusal | undefined {
  if (process.platform !== "linux") {
    return { reason: "network namespaces are Linux's", isMissingTool: false };
  }
  const missing = Object.keys(TOOLS).find((tool) => spawnSync(tool, ["-V"]).error !== undefined);
  if (missing !== undefined) {
    const reason = `there is no ${missing} (Debian's package ${TOOLS[missing]})`;
    return { reason, isMissingTool: true };
  }
  const { status, stderr } = spawnSync("unshare", [...UNSHARE, "sh", "-c", CHECK]);
  if (status === 0) return undefined;
  const said = stderr.toString().trim().split("\n")[0] ?? "";
  return { reason: `the system refuses: ${said}`, isMissingTool: false };
}

/** What is said in place of the worlds that can't be built. */
export function leftOut(worlds: number, { reason }: Refusal): string {
  return `no network namespaces here (${reason}): left out ${worlds} worlds of the doctor`;
}

/** Runs a command of the system to its end, with lines to read. */
export function run(command: string, args: readonly string[], input = ""): void {
  execFileSync(command, args, { input, stdio: ["pipe", "pipe", "inherit"] });
}
