import { createPreflight } from "../../src/preflight/issuer-check.js";
import { systemClock } from "../../src/runtime/clock.js";

// A process that no longer waits for its check, as one whose STS call got the first response.
const [, , token = ""] = process.argv;
const preflight = createPreflight(
  { allowPrivateIssuers: true, timeoutMs: 3_600_000 },
  { clock: systemClock, env: {} },
);
const controller = new AbortController();
const checking = preflight.check(token, { signal: controller.signal });
process.stdout.write("checking\n");
process.stdin.once("data", () => {
  controller.abort(new Error("responded"));
  process.stdin.destroy();
});
await checking.catch((error: Error) => process.stdout.write(`${error.message}\n`));
