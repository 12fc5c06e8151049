import { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { systemClock } from "../src/clock.js";
import { IssuerCache } from "../src/preflight/issuer-cache.js";
import { createPreflight } from "../src/preflight/preflight.js";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../src/testing/index.js";

// What a warm look costs, and what a cold one adds to the STS call that it runs beside.
// Run with: npx tsx bench/preflight.ts

const WARM_LOOKS = 2_000;
const COLD_STARTS = 30;
/** A slow IdP: its discovery document and its JWKS take this together, in milliseconds. */
const IDP_MS = 1_200;

function lookOnce(issuers: IssuerCache, token: string): Promise<unknown> {
  const runtime = { clock: systemClock, env: {}, issuers };
  const preflight = createPreflight({ allowPrivateIssuers: true }, runtime);
  const { signal } = new AbortController();
  return preflight.look(token, { signal, background: true });
}

function percentile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(3);
}

async function warm(idp: LocalIdp, name: string): Promise<void> {
  const issuers = new IssuerCache();
  const tokens = await Promise.all(
    Array.from({ length: WARM_LOOKS }, (_, index) => idp.issueToken({ subject: `s-${index}` })),
  );
  await lookOnce(issuers, await idp.issueToken());
  const times: number[] = [];
  for (const token of tokens) {
    const start = performance.now();
    await lookOnce(issuers, token);
    times.push(performance.now() - start);
  }
  console.log(
    `warm look, ${name}, a new token each: p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`,
  );
}

async function callSts(sts: LocalSts, token: string): Promise<void> {
  const client = new STSClient({ endpoint: sts.url, region: "eu-west-1", maxAttempts: 1 });
  const input = {
    RoleArn: "arn:aws:iam::123456789012:role/app",
    RoleSessionName: "bench",
    WebIdentityToken: token,
  };
  await client.send(new AssumeRoleWithWebIdentityCommand(input));
  client.destroy();
}

/** With and without a look beside the call, by turns: both see the same machine. */
async function cold(idp: LocalIdp, sts: LocalSts): Promise<void> {
  const token = await idp.issueToken();
  // STS has the keys already; only the look meets the slow IdP.
  await callSts(sts, token);
  idp.setFault({ kind: "slow", delayMs: IDP_MS / 2 });
  const alone: number[] = [];
  const beside: number[] = [];
  const started: number[] = [];
  for (let round = 0; round < COLD_STARTS; round += 1) {
    const start = performance.now();
    await callSts(sts, token);
    alone.push(performance.now() - start);
    const again = performance.now();
    const looking = lookOnce(new IssuerCache(), token);
    started.push(performance.now() - again);
    await callSts(sts, token);
    beside.push(performance.now() - again);
    await looking;
  }
  const held = Number(percentile(beside, 0.1)) - Number(percentile(alone, 0.1));
  console.log(
    `STS call alone p10 ${percentile(alone, 0.1)} ms, p50 ${percentile(alone, 0.5)} ms; with a cold look beside it (IdP ${IDP_MS} ms) p10 ${percentile(beside, 0.1)} ms, p50 ${percentile(beside, 0.5)} ms`,
  );
  console.log(
    `starting the look: first ${started[0]?.toFixed(3)} ms, then p50 ${percentile(started, 0.5)} ms; it adds ${held.toFixed(3)} ms (p10: the quietest moments of a shared machine)`,
  );
}

await using rsa = await startLocalIdp();
await using ec = await startLocalIdp({ algorithm: "ES256" });
await using thousand = await startLocalIdp();
thousand.setJwks(({ keys }) => {
  const [own] = keys as Record<string, unknown>[];
  const others = Array.from({ length: 999 }, (_, kid) => ({ kty: "oct", kid: `${kid}` }));
  return { keys: [...others, own] };
});
await using sts = await startLocalSts();
await warm(rsa, "RS256");
await warm(ec, "ES256");
await warm(thousand, "RS256 among a thousand keys");
await cold(rsa, sts);
