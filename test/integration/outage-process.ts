/**
 * A service that works for 70 minutes by its clock, with sessions of an hour and an identity provider
 * that is down when a refresh is due. It prints its results as JSON. It runs with a fast clock, by which
 * this machine seems slow: limits of a few seconds are longer here.
 */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { fromWebIdentity } from "../../src/index.js";
import { startLocalIdp, startLocalSts } from "../../src/testing/index.js";

const MINUTE = 60_000;
const OUTAGE = { from: 40 * MINUTE, until: 54 * MINUTE };
const END = 70 * MINUTE;
const REQUEST_EVERY_MS = 10_000;

const roleArn = "arn:aws:iam::123456789012:role/app";
await using idp = await startLocalIdp({ algorithm: "ES256" });
// Every call has STS ask the identity provider, so that each one feels the outage.
await using sts = await startLocalSts({
  providers: [idp],
  jwksCacheSeconds: 0,
  idpTimeoutMs: MINUTE,
});
const clientConfig = { endpoint: sts.url, region: "eu-west-1" };

await using resilient = fromWebIdentity({
  token: () => idp.issueToken(),
  roleArn,
  roleSessionName: "resilient",
  clientConfig,
  preflight: { allowPrivateIssuers: true },
  attemptTimeoutMs: MINUTE,
});
// A token that outlives the run, since nothing renews one that was handed over.
const webIdentityToken = await idp.issueToken({ expiresInSeconds: 2 * 60 * 60 });
const stock = stockFromWebToken({
  ...{ webIdentityToken, roleArn, clientConfig },
  roleSessionName: "stock",
  // It refreshes five minutes before the end: in the middle of the outage.
  durationSeconds: 50 * 60,
});

// Whatever runs for the first time is slow: the first credentials may take more than one refresh.
for (let has = false; !has; ) {
  has = await resilient().then(
    () => true,
    () => false,
  );
}

const start = Date.now();
const passed = () => Date.now() - start;
const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms - passed()));

/** One request after the other, to the end. */
async function serve(credentials: typeof resilient | typeof stock) {
  const client = new STSClient({ ...clientConfig, credentials });
  const keys = new Set<string>();
  const outcome = { requests: 0, failures: 0, sessions: 0 };
  for (let at = 0; at < END; at = Math.max(at + REQUEST_EVERY_MS, passed())) {
    await after(at);
    outcome.requests += 1;
    try {
      await client.send(new GetCallerIdentityCommand({}));
      keys.add((await client.config.credentials()).accessKeyId);
    } catch {
      outcome.failures += 1;
    }
  }
  client.destroy();
  return { ...outcome, sessions: keys.size };
}

async function weather(): Promise<void> {
  await after(OUTAGE.from);
  idp.setFault({ kind: "status", httpStatus: 503 });
  await after(OUTAGE.until);
  idp.clearFaults();
}

const [ours, theirs] = await Promise.all([serve(resilient), serve(stock), weather()]);
const refused = sts.requests.filter(
  ({ at, outcome, parameters }) =>
    at >= start && outcome !== "ok" && parameters.RoleSessionName === "resilient",
).length;
process.stdout.write(JSON.stringify({ ours: { ...ours, refused }, theirs }));
