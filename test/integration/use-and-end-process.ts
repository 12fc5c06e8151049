/** Uses a provider in a process of its own and comes to its end, without any call to exit. */

import { createProvider } from "../../src/provider/create-provider.js";
import { systemClock } from "../../src/runtime/clock.js";
import type { ClientPlugin } from "../../src/sts/target.js";
import { makePool } from "../support/make-pool.js";

const [how = "", endpoint = "", token = ""] = process.argv.slice(2);

let aheadMs = 0;
const clock = { ...systemClock, now: () => Date.now() + aheadMs };
const source = how === "hung-source" ? () => new Promise<string>(() => {}) : async () => token;
const caller = new AbortController();
/** Ends the caller's wait once the request is on its way. */
const abandon: ClientPlugin = {
  applyToStack: (stack) =>
    stack.add(
      (next) => (args) => {
        if (how === "gave-up") setTimeout(() => caller.abort({ code: "gave up" }), 100);
        return next(args);
      },
      { step: "finalizeRequest", name: "abandon" },
    ),
};
const provider = createProvider(
  () => ({
    source,
    sourceName: "the token source",
    roleArn: "arn:aws:iam::123456789012:role/app",
    roleSessionName: how,
    marks: {},
  }),
  {
    preflight: "off",
    // Short only where nothing responds: a first call on a busy machine may take longer.
    attemptTimeoutMs: ["silent-sts", "hung-source"].includes(how) ? 300 : 60_000,
    retry: { maxAttempts: how === "background" ? 20 : 2, baseDelayMs: 10 },
    clientConfig: { endpoint, region: "eu-west-1" },
    clientPlugins: [abandon],
  },
  { clock, random: Math.random, env: process.env, pool: makePool({ env: process.env }) },
);

const isTimer = (name: string) => name === "Timeout";
const outcome = (result: Promise<unknown>) =>
  result.then(
    () => "credentials",
    ({ code }: { code?: string }) => String(code),
  );

const said = [await outcome(provider({ abortSignal: caller.signal }))];
// What keeps the process alive now: the SDK's timers would for three seconds.
await new Promise(setImmediate);
if (how === "gave-up") said.push(...process.getActiveResourcesInfo().filter(isTimer));
if (how === "background") {
  aheadMs = 50 * 60_000;
  said.push(await outcome(provider()), String(provider.status().refreshing));
}
process.stdout.write(said.join(" "));
