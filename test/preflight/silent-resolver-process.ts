import { createSocket } from "node:dgram";
import { createProvider } from "../../src/provider/create-provider.js";
import { systemClock } from "../../src/runtime/clock.js";
import { startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { makePool } from "../support/make-pool.js";

// In a network namespace whose resolver is silent, but for the names of the hosts file: a dozen
// providers check as many issuers, and one more calls STS by its name.
const STS_HOST = "sts.example";
const resolver = createSocket("udp4");
await new Promise<void>((resolve) => resolver.bind(53, "127.0.0.1", resolve));

const idp = await startLocalIdp();
const sts = await startLocalSts({ providers: [idp] });
const pool = makePool();
const endpoint = `http://${STS_HOST}:${new URL(sts.url).port}`;

async function provide(issuer: string | undefined, preflight: "strict" | "off") {
  const token = await idp.issueToken(issuer === undefined ? {} : { claims: { iss: issuer } });
  const identity = {
    source: async () => token,
    sourceName: "the token source",
    roleArn: "arn:aws:iam::123456789012:role/app",
    roleSessionName: undefined,
    marks: {},
  };
  return createProvider(
    () => identity,
    { preflight, clientConfig: { endpoint, region: "eu-west-1" } },
    { clock: systemClock, random: Math.random, env: {}, pool },
  );
}

const outcome = (result: Promise<unknown>) =>
  result.then(
    () => "credentials",
    ({ code }: { code?: string }) => String(code),
  );

// Everything is loaded, and its connections are gone, before it is measured.
await outcome((await provide(undefined, "off"))());
const issuers = Array.from({ length: 12 }, (_, index) => `https://issuer-${index}.example`);
for (const issuer of issuers) void outcome((await provide(issuer, "strict"))());
await new Promise((resolve) => setTimeout(resolve, 1_000));
await sts.refuseConnections();
await sts.acceptConnections();
const start = performance.now();
const said = await outcome((await provide(undefined, "off"))());
process.stdout.write(JSON.stringify({ said, ms: performance.now() - start }));
process.exit();
