import { GetCallerIdentityCommand, STSClient, type STSClientConfig } from "@aws-sdk/client-sts";
import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { fromWebIdentity } from "../../src/index.js";
import { startLocalSts } from "../../src/testing/index.js";
import { startIssuer } from "./issuer.js";
import { muteSdkVersionNotice } from "./known-noise.js";
import { createNarrator } from "./narrate.js";
import { findOtherProgram, NEEDED } from "./other-program.js";
import { runOtherProgram } from "./other-run.js";
import { causeOutage, OUTAGE } from "./outage.js";
import { compare, outcomeOf } from "./outcome.js";
import type { Printer } from "./print.js";

const ROLE_ARN = "arn:aws:iam::123456789012:role/checkout";
const REGION = "us-east-1";

type Provider = NonNullable<STSClientConfig["credentials"]>;

/**
 * Shorter than the defaults (waits of up to 4 s, a budget of 60 s), so that the demo ends sooner. Each
 * wait is shorter than the outage, so at least one attempt always falls into it.
 */
const RETRY = { maxDelayMs: 3_000, budgetMs: 20_000 } as const;

/**
 * While the issuer fails, two clients call GetCallerIdentity: one with the stock provider, one with this
 * one. A program in another language does the same, if one is installed. Returns whether every caller
 * with credentials of this package succeeded.
 */
export async function runOutage(printer: Printer): Promise<boolean> {
  muteSdkVersionNotice();
  const finding = findOtherProgram();
  await using issuer = await startIssuer();
  await using sts = await startLocalSts({
    providers: [{ issuer: issuer.url, audiences: ["sts.amazonaws.com"] }],
    roles: [{ arn: ROLE_ARN, trust: { subjects: ["system:serviceaccount:shop:checkout"] } }],
  });
  const clientConfig = {
    endpoint: sts.url,
    region: REGION,
    // Settings of the environment are meant for AWS's STS, not for this one.
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
    // By default, the issuer check requests no loopback address, because a token names its own issuer.
    preflight: { allowPrivateIssuers: true },
    onEvent: createNarrator({ printer, issuerCondition: () => issuer.condition }),
  });

  const program = await finding;
  introduce(printer, { issuer: issuer.url, sts: sts.url, program: program?.name });
  const otherOptions = program && {
    program,
    printer,
    roleArn: ROLE_ARN,
    token: await issuer.mintToken(),
    credentials: resilient,
    servedSession: "resilient",
    variables: { AWS_ENDPOINT_URL_STS: sts.url, AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION },
  };
  printer.startClock();
  issuer.rateLimit();
  printer.event("issuer", "rate limit: returns 429 to every request for its keys");
  const calm = new AbortController();
  const outage = causeOutage(issuer, (what) => printer.event("issuer", what), calm.signal);
  const ask = (session: "stock" | "resilient", credentials: Provider) =>
    outcomeOf(
      { speaker: session, session, whoAmI: () => whoAmI({ ...clientConfig, credentials }) },
      printer,
    );
  try {
    const [theirs, ours, other] = await Promise.all([
      ask("stock", stock),
      ask("resilient", resilient),
      otherOptions && runOtherProgram(otherOptions),
    ]);
    compare(printer, sts, [
      ["stock fromWebToken", theirs],
      ["resilient-sts fromWebIdentity", ours],
    ]);
    if (program === undefined || other === undefined) {
      printer.text();
      printer.text(`Left out: the same for a program in another language. It needs ${NEEDED}.`);
      return ours.arn !== undefined;
    }
    compare(printer, sts, [
      [`${program.name} alone`, other.alone],
      [`${program.name} with resilient-sts/serve`, other.served],
    ]);
    return ours.arn !== undefined && other.served.arn !== undefined;
  } finally {
    calm.abort();
    await outage;
  }
}

/** One call of a real client, which gets credentials from its provider and signs with them. */
async function whoAmI(config: STSClientConfig): Promise<string | undefined> {
  const client = new STSClient(config);
  try {
    return (await client.send(new GetCallerIdentityCommand({}))).Arn;
  } finally {
    client.destroy();
  }
}

interface Introduced {
  readonly issuer: string;
  readonly sts: string;
  readonly program: string | undefined;
}

function introduce(printer: Printer, { issuer, sts, program }: Introduced): void {
  const seconds = (ms: number) => `${ms / 1000} s`;
  printer.text("resilient-sts: the identity provider fails, and credentials still arrive", "bold");
  printer.text();
  printer.text(`  issuer   ${issuer}   oidc-provider, a certified OIDC server`);
  printer.text(`  STS      ${sts}   local; it fetches the issuer's keys`);
  printer.text(
    `  outage   429 for ${seconds(OUTAGE.rateLimitMs)}, then down for ${seconds(OUTAGE.outageMs)}`,
  );
  printer.text("  callers  an STSClient with the stock provider, an STSClient with this one");
  if (program !== undefined) {
    printer.text(
      `           ${program} alone, ${program} with the endpoint of resilient-sts/serve`,
    );
  }
  printer.text();
}
