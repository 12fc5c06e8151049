import { GetCallerIdentityCommand, STSClient, type STSClientConfig } from "@aws-sdk/client-sts";
import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { fromWebIdentity } from "../../src/index.js";
import { type LocalSts, startLocalSts } from "../../src/testing/index.js";
import { startIssuer } from "./issuer.js";
import { muteSdkVersionNotice } from "./known-noise.js";
import { createNarrator } from "./narrate.js";
import { duration, type Printer, type Speaker } from "./print.js";
import { rageOver, STORM } from "./storm.js";

const ROLE_ARN = "arn:aws:iam::123456789012:role/checkout";

/**
 * Waits of up to 4 s and a budget of 60 s are the default. The demo has to end sooner, and with
 * waits that are shorter than the outage it always meets it.
 */
const RETRY = { maxDelayMs: 3_000, budgetMs: 20_000 } as const;

/** How one caller fared. */
interface Outcome {
  readonly tookMs: number;
  readonly arn: string | undefined;
  readonly error: string | undefined;
}

/**
 * Two clients ask STS who they are while the issuer is in trouble; one has the stock provider, one
 * has this one. Returns whether the latter got its answer.
 */
export async function runStorm(printer: Printer): Promise<boolean> {
  muteSdkVersionNotice();
  await using issuer = await startIssuer();
  await using sts = await startLocalSts({
    providers: [{ issuer: issuer.url, audiences: ["sts.amazonaws.com"] }],
    roles: [{ arn: ROLE_ARN, trust: { subjects: ["system:serviceaccount:shop:checkout"] } }],
  });
  const clientConfig = {
    endpoint: sts.url,
    region: "us-east-1",
    // Whoever sets these in the environment means the real STS.
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
  } satisfies STSClientConfig;

  const stock = stockFromWebToken({
    webIdentityToken: await issuer.mintToken(),
    roleArn: ROLE_ARN,
    roleSessionName: "stock",
    clientConfig,
  });
  await using resilient = fromWebIdentity({
    token: issuer.mintToken,
    roleArn: ROLE_ARN,
    roleSessionName: "resilient",
    clientConfig,
    retry: RETRY,
    // Loopback addresses are not looked at by default: a token names its own issuer.
    preflight: { allowPrivateIssuers: true },
    onEvent: createNarrator({ printer, issuerCondition: () => issuer.condition }),
  });

  introduce(printer, issuer.url, sts.url);
  printer.startClock();
  issuer.rateLimit();
  printer.event("issuer", "rate-limits: 429 to every request for its keys");
  const calm = new AbortController();
  const storm = rageOver(issuer, (what) => printer.event("issuer", what), calm.signal);
  try {
    const [theirs, ours] = await Promise.all([
      whoAmI("stock", { ...clientConfig, credentials: stock }, printer),
      whoAmI("resilient", { ...clientConfig, credentials: resilient }, printer),
    ]);
    compare(printer, sts, theirs, ours);
    return ours.arn !== undefined;
  } finally {
    calm.abort();
    await storm;
  }
}

/** One call of a real client: it asks its provider for credentials and signs with them. */
async function whoAmI(
  speaker: Speaker,
  config: STSClientConfig,
  printer: Printer,
): Promise<Outcome> {
  const client = new STSClient(config);
  const start = performance.now();
  try {
    const { Arn: arn } = await client.send(new GetCallerIdentityCommand({}));
    printer.event(speaker, `GetCallerIdentity: ${arn}`, "good");
    return { tookMs: performance.now() - start, arn, error: undefined };
  } catch (error) {
    const { name, message } = error as Error;
    printer.event(speaker, `GetCallerIdentity failed: ${name}: ${message}`, "bad");
    return { tookMs: performance.now() - start, arn: undefined, error: name };
  } finally {
    client.destroy();
  }
}

function introduce(printer: Printer, issuerUrl: string, stsUrl: string): void {
  printer.text("resilient-sts: the identity provider fails, the credentials still come", "bold");
  printer.text();
  printer.text(`  issuer   ${issuerUrl}   oidc-provider, a certified OIDC server`);
  printer.text(`  STS      ${stsUrl}   local; it fetches the issuer's keys`);
  printer.text(
    `  storm    429 for ${STORM.rateLimitMs / 1000} s, then down for ${STORM.outageMs / 1000} s`,
  );
  printer.text("  callers  one STSClient with the stock provider, one with this one");
  printer.text();
}

function compare(printer: Printer, sts: LocalSts, theirs: Outcome, ours: Outcome): void {
  const attempts = (session: string) =>
    String(
      sts.requests.filter(
        ({ action, parameters }) =>
          action === "AssumeRoleWithWebIdentity" && parameters.RoleSessionName === session,
      ).length,
    );
  const result = ({ arn, error }: Outcome) =>
    arn === undefined ? `${error}` : "GetCallerIdentity answered";
  printer.text();
  printer.table([
    ["same storm", "stock fromWebToken", "resilient-sts fromWebIdentity"],
    ["attempts", attempts("stock"), attempts("resilient")],
    ["ended after", duration(theirs.tookMs), duration(ours.tookMs)],
    ["outcome", result(theirs), result(ours)],
  ]);
}
