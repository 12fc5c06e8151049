import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { findProgram, leaveOut } from "../support/program.js";

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL("outage-process.ts", import.meta.url));

/** Its seconds are 5 ms: a longer pause of this machine's would look like an outage of its own. */
const SPEED = "+0 x200";

interface Outcome {
  readonly requests: number;
  readonly failures: number;
  readonly sessions: number;
}

const faketime = findProgram("faketime");
if (faketime === undefined) {
  leaveOut("an outage in real processes at two hundred times the speed", "faketime");
} else {
  test("no request fails in an outage of 14 minutes that begins when a refresh is due", async ({
    signal,
  }) => {
    const args = ["-f", SPEED, process.execPath, "--import", "tsx", "--no-warnings", SCRIPT];
    const { stdout } = await run(faketime, args, { signal });
    const { ours, theirs } = JSON.parse(stdout) as {
      ours: Outcome & { refused: number };
      theirs: Outcome;
    };
    expect(ours.requests).toBeGreaterThan(100);
    expect(ours).toMatchObject({ failures: 0, sessions: 2 });
    // It made attempts meanwhile, but not all the time.
    expect(ours.refused).toBeGreaterThan(1);
    expect(ours.refused).toBeLessThan(150);
    // The SDK's own provider fails in the same outage.
    expect(theirs.failures).toBeGreaterThan(0);
  }, 120_000);
}
