import { safeText } from "../../runtime/redact.js";
import type { Terminal } from "../surroundings.js";
import type { Servers } from "./fault-spec.js";

const POLL_MS = 250;
const MAX_KEPT = 1000;

/** Writes a line for each request the servers see, and forgets them: a storm must not fill the memory. */
export function tellRequests({ idp, sts }: Servers, stderr: Terminal): Disposable {
  const told = new WeakSet<object>();
  const tell = () => {
    const settled = sts.requests.filter(({ outcome }) => outcome !== "pending");
    const seen = [
      ...idp.requests
        .filter((one) => !told.has(one))
        .map(({ at, document, path }) => ({ at, text: `IdP  ${document ?? path}` })),
      ...settled
        .filter((one) => !told.has(one))
        .map(({ at, action, outcome }) => ({ at, text: `STS  ${action}  ${outcome}` })),
    ];
    if (seen.length === 0) return;
    for (const one of [...idp.requests, ...settled]) told.add(one);
    if (idp.requests.length > MAX_KEPT) idp.resetRequests();
    if (sts.requests.length > MAX_KEPT) sts.resetRequests();
    const lines = seen
      .toSorted((a, b) => a.at - b.at)
      .map(
        ({ at, text }) => `${new Date(at).toTimeString().slice(0, 8)}  ${safeText(text, 120)}\n`,
      );
    stderr.write(lines.join(""));
  };
  const timer = setInterval(tell, POLL_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      tell();
    },
  };
}
