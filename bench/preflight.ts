import { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { IssuerCache } from "../src/preflight/issuer-cache.js";
import { createPreflight } from "../src/preflight/issuer-check.js";
import { systemClock } from "../src/runtime/clock.js";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../src/testing/index.js";
import { PROGRAMS, startProcess, workload } from "./fresh-process.js";
import { REGION, ROLE_ARN, withoutAwsSettings } from "./in-process.js";
import { figure, type PartResult, type Promised, ratio, type Table } from "./report.js";
import { median, quantile, takeTurns, timed } from "./sampling.js";

// Measures an issuer check with cached documents, and what a check without them adds to a concurrent STS
// call.

const WARM_CHECKS = 2_000;
const COLD_STARTS = 30;
const FRESH_STARTS = 12;
/** The most that an advisory check may add to a cold start, in milliseconds. */
const MOST_ADDED_MS = 5;
/** The time of a slow IdP for its discovery document and JWKS together, in milliseconds. */
const IDP_MS = 1_200;

/** Issuer checks with and without cached documents. The stock provider has none, so the floor is no check. */
export async function preflightPart(): Promise<PartResult> {
  withoutAwsSettings();
  await using rsa = await startLocalIdp();
  await using ec = await startLocalIdp({ algorithm: "ES256" });
  await using thousand = await startLocalIdp();
  thousand.setJwks(({ keys }) => {
    const [own] = keys as Record<string, unknown>[];
    const others = Array.from({ length: 999 }, (_, kid) => ({ kty: "oct", kid: `${kid}` }));
    return { keys: [...others, own] };
  });
  await using sts = await startLocalSts();
  const rows = [
    await warm(rsa, "RS256"),
    await warm(ec, "ES256"),
    await warm(thousand, "RS256 among a thousand keys"),
  ];
  const overlap = await cold(rsa, sts);
  const { table, promised } = await fresh(rsa);
  return {
    tables: [
      {
        title: "An issuer check with cached documents and a new token each time",
        note: `${figure(WARM_CHECKS)} checks each.`,
        columns: ["", "p50", "p99"],
        rows,
      },
      overlap,
      table,
    ],
    promises: [promised],
  };
}

function checkOnce(issuers: IssuerCache, token: string): Promise<unknown> {
  const runtime = { clock: systemClock, env: {}, issuers };
  const preflight = createPreflight({ allowPrivateIssuers: true }, runtime);
  const { signal } = new AbortController();
  return preflight.check(token, { signal });
}

async function warm(idp: LocalIdp, name: string): Promise<string[]> {
  const issuers = new IssuerCache();
  const tokens = await Promise.all(
    Array.from({ length: WARM_CHECKS }, (_, index) => idp.issueToken({ subject: `s-${index}` })),
  );
  await checkOnce(issuers, await idp.issueToken());
  const times: number[] = [];
  for (const token of tokens) times.push(await timed(() => checkOnce(issuers, token)));
  return [name, figure(quantile(times, 0.5), "ms"), figure(quantile(times, 0.99), "ms")];
}

async function callSts(sts: LocalSts, token: string): Promise<void> {
  const client = new STSClient({ endpoint: sts.url, region: REGION, maxAttempts: 1 });
  const input = { RoleArn: ROLE_ARN, RoleSessionName: "bench", WebIdentityToken: token };
  await client.send(new AssumeRoleWithWebIdentityCommand(input));
  client.destroy();
}

/** Calls with and without a concurrent check, alternating, so that both run on the same machine. */
async function cold(idp: LocalIdp, sts: LocalSts): Promise<Table> {
  const token = await idp.issueToken();
  // STS has cached the keys, so only the check calls the slow IdP.
  await callSts(sts, token);
  idp.setFault({ kind: "slow", delayMs: IDP_MS / 2 });
  const ALONE = "STS call alone (floor)";
  const checks: Promise<unknown>[] = [];
  const samples = await takeTurns(
    {
      [ALONE]: () => timed(() => callSts(sts, token)),
      "with a concurrent check without cached documents": () =>
        timed(async () => {
          checks.push(checkOnce(new IssuerCache(), token));
          await callSts(sts, token);
        }),
    },
    COLD_STARTS,
  );
  await Promise.all(checks);
  const alone = samples[ALONE] ?? [];
  return {
    title: `An issuer check without cached documents during the STS call, IdP ${figure(IDP_MS, "ms")}`,
    columns: ["", "p10", "/ alone", "median", "/ alone"],
    rows: Object.entries(samples).map(([name, values]) => [
      name,
      figure(quantile(values, 0.1), "ms"),
      ratio(quantile(values, 0.1), quantile(alone, 0.1)),
      figure(median(values), "ms"),
      ratio(median(values), median(alone)),
    ]),
  };
}

/** A fresh process whose STS must first call the slow IdP: the check starts during that wait. */
async function fresh(idp: LocalIdp): Promise<{ table: Table; promised: Promised }> {
  await using sts = await startLocalSts({ providers: [idp], jwksCacheSeconds: 0 });
  using surroundings = workload(await idp.issueToken(), sts.url);
  const start = (mode: string) => async () =>
    (await startProcess([PROGRAMS.ESM, "resilient-sts", mode], surroundings.env)).ms;
  const samples = await takeTurns({ off: start("off"), advisory: start("advisory") }, FRESH_STARTS);
  const addedMs = median(samples.advisory) - median(samples.off);
  return {
    table: {
      title: `A fresh process to its first credentials, where STS calls an IdP of ${figure(IDP_MS, "ms")}`,
      columns: ["pre-flight", "min", "median"],
      rows: Object.entries(samples).map(([name, values]) => [
        name,
        figure(quantile(values, 0), "ms"),
        figure(median(values), "ms"),
      ]),
    },
    promised: {
      what: "an advisory issuer check in a cold start",
      limit: `adds less than ${MOST_ADDED_MS} ms`,
      measured: `${figure(addedMs, "ms")} by median, ${figure(quantile(samples.advisory, 0) - quantile(samples.off, 0), "ms")} by minimum`,
      kept: addedMs < MOST_ADDED_MS,
    },
  };
}
