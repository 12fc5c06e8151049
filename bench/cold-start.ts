import { startLocalIdp, startLocalSts } from "../src/testing/index.js";
import { barChart } from "./chart.js";
import { PROGRAMS, type System, startProcess, workload } from "./fresh-process.js";
import { figure, type PartResult, type Promised, ratio, type Table } from "./report.js";
import { median, quantile, takeTurns } from "./sampling.js";

const ROUNDS = 25;

interface Contender {
  readonly name: string;
  /** Arguments of the process: what it imports, and how it uses it. */
  readonly args: readonly [specifier: string, ...mode: string[]];
  readonly systems: readonly System[];
}

const STOCK = "stock (credential-provider-web-identity)";
const FLOOR = "floor (client-sts, one call)";
const OFF = "ours, pre-flight off";
const ADVISORY = "ours, pre-flight advisory";
const BOTH: readonly System[] = ["ESM", "CJS"];

const CONTENDERS: readonly Contender[] = [
  { name: STOCK, args: ["@aws-sdk/credential-provider-web-identity"], systems: BOTH },
  { name: "stock (credential-providers)", args: ["@aws-sdk/credential-providers"], systems: BOTH },
  {
    name: "stock + p-retry",
    args: ["@aws-sdk/credential-provider-web-identity", "p-retry"],
    systems: ["ESM"],
  },
  { name: FLOOR, args: ["@aws-sdk/client-sts"], systems: BOTH },
  { name: OFF, args: ["resilient-sts", "off"], systems: BOTH },
  { name: ADVISORY, args: ["resilient-sts", "advisory"], systems: BOTH },
];

/** From the first line of a fresh process to its first credentials, from the built package. */
export async function coldStartPart(): Promise<PartResult> {
  await using idp = await startLocalIdp();
  await using sts = await startLocalSts();
  using surroundings = workload(await idp.issueToken(), sts.url);
  const { env } = surroundings;
  const alone = await measure(env);
  const service = await measureInService({ ...env, LOADED_BEFORE: "@aws-sdk/client-s3" });
  return { ...alone, tables: [...alone.tables, service] };
}

async function measure(env: NodeJS.ProcessEnv): Promise<PartResult> {
  const endings: number[] = [];
  const samples = await sampleAll(CONTENDERS, env, endings);
  const of = (name: string) => samples[name] ?? [];
  return {
    tables: [
      {
        title: "Cold start: a fresh process from its first line to its first credentials",
        note: `${ROUNDS} processes each, by turns; ratios to the stock provider.`,
        columns: COLUMNS,
        rows: coldRows(samples),
      },
    ],
    promises: [
      ...BOTH.flatMap((system) => [
        promise(system, OFF, 1, of),
        promise(system, ADVISORY, 1.1, of),
      ]),
      {
        what: "the process ends by itself, after its credentials",
        limit: "without help, within 1 s",
        measured: `${figure(median(endings), "ms")} (longest ${figure(Math.max(...endings), "ms")})`,
        kept: Math.max(...endings) < 1_000,
      },
    ],
    charts: { "cold-start.svg": chart(of) },
  };
}

/** As services start: they load a client for their work first, and it brings most of the SDK. */
async function measureInService(env: NodeJS.ProcessEnv): Promise<Table> {
  const contenders = CONTENDERS.filter(({ name }) => [STOCK, FLOOR, OFF, ADVISORY].includes(name));
  return {
    title: "Cold start in a service: the same, with client-s3 loaded before",
    note: "A provider that brings its own copy of the SDK would be quicker alone, and slower here.",
    columns: COLUMNS,
    rows: coldRows(await sampleAll(contenders, env)),
  };
}

type Samples = Readonly<Record<string, readonly number[]>>;

async function sampleAll(
  contenders: readonly Contender[],
  env: NodeJS.ProcessEnv,
  endings: number[] = [],
): Promise<Samples> {
  const entries = contenders.flatMap(({ name, args, systems }) =>
    systems.map((system) => {
      const sample = async () => {
        const { ms, endedAfterMs } = await startProcess([PROGRAMS[system], ...args], env);
        if (args[0] === "resilient-sts") endings.push(endedAfterMs);
        return ms;
      };
      return [`${system}  ${name}`, sample] as const;
    }),
  );
  return await takeTurns(Object.fromEntries(entries), ROUNDS);
}

const COLUMNS = ["", "min", "/ stock", "median", "/ stock"];

function coldRows(samples: Samples): string[][] {
  return Object.entries(samples).map(([name, values]) => {
    const stock = samples[`${name.slice(0, 5)}${STOCK}`] ?? [];
    const [least, middle] = [quantile(values, 0), median(values)];
    return [
      name,
      figure(least, "ms"),
      ratio(least, quantile(stock, 0)),
      figure(middle, "ms"),
      ratio(middle, median(stock)),
    ];
  });
}

function promise(
  system: System,
  name: string,
  limit: number,
  of: (name: string) => readonly number[],
): Promised {
  const [stock, own] = [of(`${system}  ${STOCK}`), of(`${system}  ${name}`)];
  const [byMin, byMedian] = [quantile(own, 0) / quantile(stock, 0), median(own) / median(stock)];
  return {
    what: `cold start of ${name}, ${system}`,
    limit: `≤ ${limit.toFixed(1)}× stock`,
    measured: `${byMedian.toFixed(2)}× by median, ${byMin.toFixed(2)}× by minimum`,
    kept: byMedian <= limit,
  };
}

function chart(of: (name: string) => readonly number[]): string {
  const names = CONTENDERS.filter(({ systems }) => systems.length === BOTH.length).map(
    ({ name }) => name,
  );
  const shown = names.map((name) => name.replace(/ \(credential-|, | \(/, "\n").replace(")", ""));
  return barChart(
    { title: "Cold start to the first credentials (median)", xName: "", yName: "ms" },
    shown,
    BOTH.map((system) => ({
      name: system,
      values: names.map((name) => median(of(`${system}  ${name}`))),
    })),
  );
}
