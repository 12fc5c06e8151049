import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startLocalIdp, startLocalSts } from "../src/testing/index.js";
import { PROGRAMS, workload } from "./fresh-process.js";
import { figure, type PartResult, type Promised, ratio } from "./report.js";
import { median, quantile, takeTurns } from "./sampling.js";

const CLI = fileURLToPath(new URL("../dist/bin.cjs", import.meta.url));
const ROUNDS = 20;

/** Whole processes, from their start to their end. */
const CONTENDERS = {
  "node -e 0": ["-e", "0"],
  "credential-process, from the cache": [CLI, "credential-process"],
  "a program that gets credentials with the library": [PROGRAMS.ESM, "resilient-sts", "advisory"],
  "exec -- true": [CLI, "exec", "--", "true"],
} as const;

type Contender = keyof typeof CONTENDERS;

/** The cost of the commands for a program that starts each as a process. */
export async function commandsPart(): Promise<PartResult> {
  await using idp = await startLocalIdp();
  await using sts = await startLocalSts();
  using surroundings = workload(await idp.issueToken(), sts.url);
  const folder = surroundings.env.AWS_CONFIG_FILE?.replace(/\/none$/, "");
  const env = { ...surroundings.env, XDG_RUNTIME_DIR: folder };
  const runs = Object.entries(CONTENDERS).map(([name, args]) => [name, () => run(args, env)]);
  const samples: Record<Contender, number[]> = await takeTurns(Object.fromEntries(runs), ROUNDS);
  const rows = (Object.keys(CONTENDERS) as Contender[]).map((name) => {
    const [least, middle] = [quantile(samples[name], 0), median(samples[name])];
    const empty = samples["node -e 0"];
    return [
      name,
      figure(least, "ms"),
      ratio(least, quantile(empty, 0)),
      figure(middle, "ms"),
      ratio(middle, median(empty)),
    ];
  });
  const promise = (name: Contender, base: Contender, limit: number): Promised => {
    const of = (share: number) => quantile(samples[name], share) / quantile(samples[base], share);
    return {
      what: name,
      limit: `≤ ${limit.toFixed(2)}× ${base}`,
      measured: `${of(0.5).toFixed(2)}× by median, ${of(0).toFixed(2)}× by the quickest`,
      kept: of(0.5) <= limit,
    };
  };
  return {
    tables: [
      {
        title: "Commands: whole processes",
        note: `${ROUNDS} processes each, alternating; ratios to a Node process that does nothing.`,
        columns: ["", "min", "/ empty", "median", "/ empty"],
        rows,
      },
    ],
    promises: [
      promise("credential-process, from the cache", "node -e 0", 1.6),
      promise("exec -- true", "a program that gets credentials with the library", 1.35),
    ],
  };
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(performance.now() - start);
      else reject(new Error(`${args.join(" ")} ended with ${code}`));
    });
  });
}
