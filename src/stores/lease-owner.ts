import { readFileSync, readlinkSync } from "node:fs";

/** Which process of which boot of which machine or container this is. */
export interface LeaseOwner {
  readonly pid: number;
  /** When the process started, in the kernel's ticks since boot. */
  readonly startedAt: string;
  readonly bootId: string;
  /** The namespace in which the pid counts: two containers may both have a process 7. */
  readonly pidNamespace: string;
}

/** Facts that the system does not report are empty. Then only time shows that a process has ended. */
export function thisProcess(): LeaseOwner {
  const { pid } = process;
  return { pid, startedAt: startOf(pid), bootId: bootId(), pidNamespace: pidNamespace() };
}

/** Whether the owner has certainly ended. */
export function hasEnded(owner: LeaseOwner, self: LeaseOwner): boolean {
  if (owner.bootId !== self.bootId) return owner.bootId !== "" && self.bootId !== "";
  if (owner.pidNamespace !== self.pidNamespace) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  // The pid may belong to another process by now.
  const startedAt = startOf(owner.pid);
  return owner.startedAt !== "" && startedAt !== "" && startedAt !== owner.startedAt;
}

/** Field 22 of /proc/PID/stat (proc(5)); the name before it may hold anything but its last bracket. */
function startOf(pid: number): string {
  const text = readText(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id").trim();
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
