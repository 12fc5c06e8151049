import { startLocalIdp, startLocalSts } from "../src/testing/index.js";
import { barChart } from "./chart.js";
import { PROGRAMS, type System, startProcess, workload } from "./fresh-process.js";
import { figure, type PartResult, type Promised, ratio } from "./report.js";
import { median, quantile, takeTurns } from "./sampling.js";

/** The headline is a service; a process that does nothing else comes second. */
const ROUNDS = { withClient: 16, alone: 6 };

interface Contender {
  readonly name: string;
  /** Arguments of the process: what it imports, and how it uses it. */
  readonly args: readonly [specifier: string, ...mode: string[]];
  readonly systems: readonly System[];
  /** Whether the table of a service has it too. */
  readonly inService: boolean;
}

const STOCK = "stock (credential-provider-web-identity)";
const OFF = "ours, pre-flight off";
const ADVISORY = "ours, pre-flight advisory";
const BOTH: readonly System[] = ["ESM", "CJS"];

/** The most that a cold start may cost, in medians of the stock provider. */
const MAX_RATIO_WITH_CLIENT: Readonly<Record<System, number>> = { ESM: 1.03, CJS: 1.05 };
const MOST_ALONE = 1.2;

const STOCK_PACKAGE = "@aws-sdk/credential-provider-web-identity";

const CONTENDERS: readonly Contender[] = [
  { name: STOCK, args: [STOCK_PACKAGE], systems: BOTH, inService: true },
  {
    name: "stock (credential-providers)",
    args: ["@aws-sdk/credential-providers"],
    systems: BOTH,
    inService: false,
  },
  { name: "stock + p-retry", args: [STOCK_PACKAGE, "p-retry"], systems: ["ESM"], inService: false },
  {
    name: "floor (client-sts, one call)",
    args: ["@aws-sdk/client-sts"],
    systems: BOTH,
    inService: true,
  },
  { name: OFF, args: ["resilient-sts", "off"], systems: BOTH, inService: true },
  { name: ADVISORY, args: ["resilient-sts", "advisory"], systems: BOTH, inService: true },
];

/** From the first line of a fresh process to its first credentials, from the built package. */
export async function coldStartPart(): Promise<PartResult> {
  await using idp = await startLocalIdp();
  await using sts = await startLocalSts();
  using surroundings = workload(await idp.issueToken(), sts.url);
  const { env } = surroundings;
  const endings: number[] = [];
  const withClient = await sampleAll(
    CONTENDERS.filter(({ inService }) => inService),
    { env: { ...env, LOADED_BEFORE: "@aws-sdk/client-s3" }, rounds: ROUNDS.withClient, endings },
  );
  const alone = await sampleAll(CONTENDERS, { env, rounds: ROUNDS.alone, endings });
  return {
    tables: [
      {
        title: "Cold start in a service: client-s3 is loaded, then the provider gets credentials",
        note: `A service loads a client for its work, which loads most of the SDK. ${ROUNDS.withClient} processes each, alternating; ratios to the stock provider.`,
        columns: COLUMNS,
        rows: coldRows(withClient),
      },
      {
        title: "Cold start alone: a fresh process from its first line to its first credentials",
        note: `${ROUNDS.alone} processes each, alternating; ratios to the stock provider.`,
        columns: COLUMNS,
        rows: coldRows(alone),
      },
    ],
    promises: [
      ...BOTH.flatMap((system) =>
        [ADVISORY, OFF].map((name) =>
          promise("beside client-s3", withClient, {
            system,
            name,
            limit: MAX_RATIO_WITH_CLIENT[system],
          }),
        ),
      ),
      ...BOTH.flatMap((system) =>
        [ADVISORY, OFF].map((name) => promise("alone", alone, { system, name, limit: MOST_ALONE })),
      ),
      {
        what: "the process ends by itself, after its credentials",
        limit: "without help, within 1 s",
        measured: `${figure(median(endings), "ms")} (longest ${figure(Math.max(...endings), "ms")})`,
        kept: Math.max(...endings) < 1_000,
      },
    ],
    charts: { "cold-start.svg": chart(withClient) },
  };
}

/** By contender: how long each start took, and how much processor time it used, in milliseconds. */
interface Samples {
  readonly ms: Readonly<Record<string, readonly number[]>>;
  readonly cpuMs: Readonly<Record<string, readonly number[]>>;
}

interface Sampling {
  readonly env: NodeJS.ProcessEnv;
  readonly rounds: number;
  /** Gets how long each process of ours needed to end. */
  readonly endings: number[];
}

async function sampleAll(
  contenders: readonly Contender[],
  { env, rounds, endings }: Sampling,
): Promise<Samples> {
  const cpuMs: Record<string, number[]> = {};
  const entries = contenders.flatMap(({ name, args, systems }) =>
    systems.map((system) => {
      const used: number[] = [];
      cpuMs[`${system}  ${name}`] = used;
      const sample = async () => {
        const { ms, endedAfterMs, ...start } = await startProcess([PROGRAMS[system], ...args], env);
        used.push(start.cpuMs);
        if (args[0] === "resilient-sts") endings.push(endedAfterMs);
        return ms;
      };
      return [`${system}  ${name}`, sample] as const;
    }),
  );
  return { ms: await takeTurns(Object.fromEntries(entries), rounds), cpuMs };
}

const COLUMNS = ["", "min", "/ stock", "median", "/ stock", "processor time", "/ stock"];

function coldRows(samples: Samples): string[][] {
  return Object.keys(samples.ms).map((name) => {
    const stock = `${name.slice(0, 5)}${STOCK}`;
    const of = (kind: keyof Samples, which: string) => samples[kind][which] ?? [];
    const [least, middle] = [quantile(of("ms", name), 0), median(of("ms", name))];
    const cpu = median(of("cpuMs", name));
    return [
      name,
      figure(least, "ms"),
      ratio(least, quantile(of("ms", stock), 0)),
      figure(middle, "ms"),
      ratio(middle, median(of("ms", stock))),
      figure(cpu, "ms"),
      ratio(cpu, median(of("cpuMs", stock))),
    ];
  });
}

interface Limit {
  readonly system: System;
  readonly name: string;
  /** The most that the median may be, in medians of the stock provider. */
  readonly limit: number;
}

function promise(where: string, samples: Samples, { system, name, limit }: Limit): Promised {
  const medians = (kind: keyof Samples) =>
    median(samples[kind][`${system}  ${name}`] ?? []) /
    median(samples[kind][`${system}  ${STOCK}`] ?? []);
  return {
    what: `cold start ${where} of ${name}, ${system}`,
    limit: `≤ ${limit.toFixed(2)}× stock`,
    measured: `${medians("ms").toFixed(2)}× by median, ${medians("cpuMs").toFixed(2)}× in processor time`,
    kept: medians("ms") <= limit,
  };
}

function chart(samples: Samples): string {
  const names = CONTENDERS.filter(({ inService }) => inService).map(({ name }) => name);
  const shown = names.map((name) => name.replace(/ \(credential-|, | \(/, "\n").replace(")", ""));
  return barChart(
    {
      title: "Cold start with client-s3 loaded, to the first credentials (median)",
      xName: "",
      yName: "ms",
    },
    shown,
    BOTH.map((system) => ({
      name: system,
      values: names.map((name) => median(samples.ms[`${system}  ${name}`] ?? [])),
    })),
  );
}
