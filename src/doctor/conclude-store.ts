import type { StoreOperation } from "../model/credential-store.js";
import type { Finding, FindingId } from "../model/findings.js";
import { formatDuration } from "../runtime/time-text.js";
import { STORE_OPERATION_MS } from "../stores/guarded-store.js";
import type { Facts, StoreFacts } from "./diagnosis.js";

/** The clocks of servers with NTP differ by less than this, in milliseconds. */
const SERVER_SKEW_MS = 60_000;
/** The clock of a local file system is this machine's own. In milliseconds. */
const FILE_SKEW_MS = 2_000;

/** The findings about the shared store. */
export function storeFindings({ store, clockSkewMs }: Facts): Finding[] {
  if (store === undefined) return [];
  return [
    ...broken(store),
    ...slow(store),
    ...unusable(store),
    ...(store.name === "file" ? remoteFiles(store) : skewed(store, clockSkewMs)),
  ];
}

/** A kind of failure: how its error is recognized, and the texts of its finding. */
interface FailureKind {
  readonly id: FindingId;
  readonly shownBy: RegExp;
  readonly title: string;
  readonly remedy: string;
}

/** By the code and the message of the error; the first match wins. */
const FAILURES: readonly FailureKind[] = [
  {
    id: "store-access-denied",
    shownBy: /NOAUTH|WRONGPASS|invalid username-password|invalid password|without any password/,
    title: "Redis rejects the user name or the password.",
    remedy:
      "Workload: correct the user name and the password of the client (in the URL: redis://USER:PASSWORD@HOST, percent-encoded).",
  },
  {
    id: "store-access-denied",
    shownBy:
      /NOPERM|can't run this command|can't access at least one|unknown command|No permissions to access/i,
    title: "The Redis user lacks permissions that a store needs.",
    remedy:
      "Store: allow this user EVAL and, on the names of the namespace, the commands of the scripts: ACL SETUSER NAME ~NAMESPACE:* +eval +exists +get +set +del +pexpire +pttl +hget +hmget +hset (and +scan +time for the doctor).",
  },
  {
    id: "store-not-writable",
    shownBy: /READONLY/,
    title: "The Redis server is a read-only replica.",
    remedy:
      "Workload: connect to the primary (for Sentinel or Cluster, with a client that supports it).",
  },
  {
    id: "store-not-writable",
    shownBy: /\bOOM\b|MISCONF|NOREPLICAS/,
    title: "The Redis server refuses to write.",
    remedy:
      "Store: give Redis memory and disk space (maxmemory, maxmemory-policy, the disk of its snapshots), or the replicas that it waits for.",
  },
  {
    id: "store-not-writable",
    shownBy: /ENOSPC|EDQUOT/,
    title: "The disk of the store's directory is full.",
    remedy: "Workload: free space or quota on this disk, or choose another directory.",
  },
  {
    id: "store-not-writable",
    shownBy: /EROFS/,
    title: "The store's directory is on a read-only file system.",
    remedy: "Workload: choose a directory on a writable volume (file:DIR), such as an emptyDir.",
  },
  {
    id: "store-directory-unsafe",
    shownBy:
      /is open to other users|belongs to another user|is not a directory, or is a symbolic link|ELOOP/,
    title: "The store's directory is not private to this user.",
    remedy:
      "Workload: choose a directory that only this user can use (mode 0700, not a symbolic link).",
  },
  {
    id: "store-access-denied",
    shownBy: /EACCES|EPERM/,
    title: "This user may not use the store's directory.",
    remedy: "Workload: give the directory to the user that runs the workload, with mode 0700.",
  },
  {
    id: "store-unreachable",
    shownBy: /LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|\bBUSY\b/,
    title: "The Redis server is not ready.",
    remedy: "Store: bring Redis back into service, then run the doctor again.",
  },
  {
    id: "store-unreachable",
    shownBy:
      /^timeout|ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE|CERT|TLS|SSL|socket|is closed|offline|connection/i,
    title: "The shared store does not respond.",
    remedy:
      "Network: let this machine connect to the store (name, port, TLS, firewall). Store: make sure that it runs.",
  },
];

const OPERATIONS: Readonly<Record<StoreOperation, string>> = {
  read: "reading",
  claim: "claiming a lease",
  extend: "extending a lease",
  publish: "publishing a value",
  release: "releasing a lease",
  remove: "removing a value",
};

/** The consequence for the workload of every fault of the store. */
const MEANWHILE = "Until then each process calls STS itself.";

function broken({ name, place, failed, violations }: StoreFacts): Finding[] {
  const where = place === undefined ? `The ${name} store` : `The ${name} store (${place})`;
  if (failed !== undefined) {
    const { operation, code, message = "no response before the run ended" } = failed;
    const words = `${code ?? ""} ${message}`;
    const kind = FAILURES.find(({ shownBy }) => shownBy.test(words));
    const { id, title, remedy } = kind ?? {
      id: "store-broken",
      title: "The shared store fails.",
      remedy: "Store: find the cause in the store's own log, then run the doctor again.",
    };
    const detail = `${where}: ${OPERATIONS[operation]} failed: ${message.replace(/\.$/, "")}. ${MEANWHILE}`;
    const evidence = { store: name, operation, code, message };
    return [{ id, severity: "suspect", title, detail, remedy, evidence }];
  }
  if (violations.length === 0) return [];
  return [
    {
      id: "store-broken",
      severity: "suspect",
      title: "The shared store breaks its contract, so it can't be relied on.",
      detail: `${where}: ${violations.join("; ")}. ${MEANWHILE}`,
      remedy:
        "Store: let reads go to the server that is written to, and don't let it evict values early. Workload: test a store of your own with testCredentialStore() from resilient-sts/testing.",
      evidence: { store: name, violations },
    },
  ];
}

function slow({ name, operations }: StoreFacts): Finding[] {
  // The fastest one counts: the first operation connects, and loading the AWS SDK may delay others.
  const fastestMs = Math.min(...operations.map(({ ms }) => ms));
  if (operations.length === 0 || fastestMs <= STORE_OPERATION_MS) return [];
  return [
    {
      id: "store-slow",
      severity: "suspect",
      title: "The shared store responds too slowly to be used.",
      detail: `The fastest of ${operations.length} operations took ${Math.round(fastestMs)} ms; a provider stops waiting after ${STORE_OPERATION_MS} ms. ${MEANWHILE}`,
      remedy:
        "Network: place the store near the workload (same region). Store: find out why it is slow.",
      evidence: { store: name, ms: fastestMs },
    },
  ];
}

function unusable({ name, keyIds, sample = [] }: StoreFacts): Finding[] {
  return sample.flatMap(({ keyId, count, problem }): Finding[] => {
    if (problem === undefined) return [];
    const values = count === 1 ? "1 stored value" : `${count} stored values`;
    const evidence = { store: name, keyId, count, problem };
    if (keyId === undefined || keyIds === undefined) {
      return [
        {
          id: "store-value-unusable",
          severity: "advice",
          title: "The shared store has values that this machine can't use.",
          detail: `${values} can't be used: ${problem}.`,
          remedy:
            "Store: find out what else writes there. A process that reads such a value removes it.",
          evidence,
        },
      ];
    }
    const isKnown = keyIds.includes(keyId);
    return [
      {
        id: "store-key-unknown",
        severity: isKnown ? "suspect" : "advice",
        title: isKnown
          ? "The shared store has values encrypted with a different key of the same ID."
          : "The shared store has values encrypted with a key that this machine does not have.",
        detail: isKnown
          ? `${values} of the key ${keyId} can't be decrypted with this machine's key ${keyId}. Processes with different keys share nothing.`
          : `${values} can't be decrypted, because the key ${keyId} is not among this machine's keys (${keyIds.join(", ")}; the first encrypts). Processes with different keys share nothing.`,
        remedy: isKnown
          ? `Workload: give every process the same key ${keyId}, or a new ID to each new key.`
          : `Workload: add the key ${keyId} behind the others here; during a rotation, add a key everywhere before you put it first.`,
        evidence,
      },
    ];
  });
}

/** Harmless, because Redis counts lifetimes by itself, but a wrong clock shows a server without NTP. */
function skewed({ name, clockSkewMs }: StoreFacts, machineSkewMs = 0): Finding[] {
  // The clock of STS is right. A wrong clock of this machine is a finding of its own.
  const skewMs = clockSkewMs === undefined ? 0 : clockSkewMs - machineSkewMs;
  if (Math.abs(skewMs) <= SERVER_SKEW_MS) return [];
  return [
    {
      id: "store-clock-skew",
      severity: "advice",
      title: "The clock of the shared store is wrong.",
      detail: `It is ${formatDuration(Math.abs(skewMs))} ${skewMs > 0 ? "ahead" : "behind"}. Sharing still works, because lifetimes are durations by the store's own clock.`,
      remedy: "Store: synchronize the server's clock with NTP.",
      evidence: { store: name, skewMs },
    },
  ];
}

function remoteFiles({ name, place = "the directory", clockSkewMs = 0 }: StoreFacts): Finding[] {
  if (Math.abs(clockSkewMs) <= FILE_SKEW_MS) return [];
  return [
    {
      id: "store-clock-skew",
      severity: "suspect",
      title: "The store's directory seems to be on a network file system.",
      detail: `The clock of ${place} differs from this machine's by ${formatDuration(Math.abs(clockSkewMs))}, so it is the clock of another machine. Leases rely on exclusive creation and rename, which network file systems don't guarantee.`,
      remedy:
        "Workload: choose a directory on a local disk (file:DIR); for several hosts, use Redis.",
      evidence: { store: name, skewMs: clockSkewMs },
    },
  ];
}
