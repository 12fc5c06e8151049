import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import {
  doesIdentityRequireRefresh,
  isIdentityExpired,
  memoizeIdentityProvider,
} from "@smithy/core";
import type { AwsCredentialIdentity } from "@smithy/types";
import pRetry from "p-retry";
import { fromWebToken } from "../src/index.js";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../src/testing/index.js";

export const ROLE_ARN = "arn:aws:iam::123456789012:role/app";
export const REGION = "eu-west-1";

export type GetCredentials = () => Promise<AwsCredentialIdentity>;

/** An STS on the loopback address, and each contender's way to call it. */
export interface Place extends AsyncDisposable {
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
  readonly ours: (roleArn?: string) => GetCredentials & { close(): void };
  readonly stock: (roleArn?: string) => GetCredentials;
  readonly stockWithRetry: (roleArn?: string) => GetCredentials;
  /** The number of calls for credentials since the last reset. */
  calls(): number;
}

export async function startPlace(credentialLifetimeSeconds?: number): Promise<Place> {
  withoutAwsSettings();
  const idp = await startLocalIdp({ algorithm: "ES256" });
  const sts = await startLocalSts({ providers: [idp], credentialLifetimeSeconds });
  const webIdentityToken = await idp.issueToken();
  const clientConfig = { endpoint: sts.url, region: REGION };
  const stock = (roleArn = ROLE_ARN) =>
    stockFromWebToken({ webIdentityToken, roleArn, clientConfig });
  return {
    idp,
    sts,
    ours: (roleArn = ROLE_ARN) =>
      fromWebToken({ webIdentityToken, roleArn, clientConfig, preflight: "off" }),
    stock,
    stockWithRetry: (roleArn) => {
      const getCredentials = stock(roleArn);
      return () => pRetry(() => getCredentials());
    },
    calls: () => sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity").length,
    async [Symbol.asyncDispose]() {
      await Promise.all([idp.close(), sts.close()]);
    },
  };
}

/** Memoizes like an SDK client that gets a function as `credentials`. */
export function memoizedByClient(getCredentials: GetCredentials): GetCredentials {
  const memoized = memoizeIdentityProvider(
    getCredentials,
    isIdentityExpired,
    doesIdentityRequireRefresh,
  );
  if (memoized === undefined) throw new TypeError("Expected the SDK to memoise a function");
  return () => memoized();
}

/** Removes the AWS settings of this machine. */
export function withoutAwsSettings(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith("AWS_")) delete process.env[name];
  }
  process.env.AWS_CONFIG_FILE = "/nonexistent/config";
  process.env.AWS_SHARED_CREDENTIALS_FILE = "/nonexistent/credentials";
  process.env.AWS_EC2_METADATA_DISABLED = "true";
}
