import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startWorld, type World } from "../support/world.js";

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL("use-and-end-process.ts", import.meta.url));

/** What a process that uses a provider says before it ends by itself; rejects when it ends badly. */
async function saidBy(how: string, { idp, sts }: World): Promise<string> {
  const args = ["--import", "tsx", "--no-warnings", SCRIPT, how, sts.url, await idp.issueToken()];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  return stdout;
}

test("a process exits by itself after it got credentials, and after it failed to get any", {
  timeout: 90_000,
}, async () => {
  await using world = await startWorld();
  await using silent = await startWorld();
  silent.sts.setFault("hang");
  await using later = await startWorld();
  later.sts.setFault("hang", { when: () => later.calls() > 1 });
  const said = await Promise.all([
    saidBy("success", world),
    saidBy("silent-sts", silent),
    saidBy("hung-source", world),
    saidBy("background", later),
    saidBy("gave-up", silent),
  ]);
  expect(said).toEqual([
    "credentials",
    "ERR_STS_UNAVAILABLE",
    "ERR_TOKEN_UNAVAILABLE",
    "credentials credentials true",
    "gave up",
  ]);
});
