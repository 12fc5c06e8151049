const CALLS = `
const provider: AwsCredentialIdentityProvider = fromTokenFile();
const client = new STSClient({ credentials: fromTokenFile({ region: "eu-west-1" }) });
const fromToken = fromWebToken({ webIdentityToken: "t", roleArn: "r", retry: { maxAttempts: 3 } });
const fromSource = fromWebIdentity({
  token: async ({ signal, attempt }) => \`\${signal.aborted} \${attempt}\`,
  roleArn: "r",
});
const sources: readonly TokenSource[] = [githubActions(), spiffe({ hint: "h" }), gitlab()];
export const detected = fromWebIdentity({ token: detectTokenSource({ audience: "a" }), roleArn: "r" });
export const renewable: readonly (boolean | undefined)[] = sources.map((source) => source.renewable);
const retry: RetryOptions = { maxAttempts: 3 };
export const observed = fromTokenFile({ retry, onEvent: (event) => event.type === "attempt.failed" && note(event) });
const note = ({ verdict, at }: AttemptFailedEvent): void => console.log(verdict, at, observed.status().expiresAt);
const unset = undefined;
export const defaults = fromTokenFile({
  retry: { maxAttempts: unset, baseDelayMs: unset, maxDelayMs: unset, budgetMs: unset },
  refresh: { advisoryWindowSeconds: unset, mandatoryWindowSeconds: unset, aheadOfTime: unset },
  preflight: { mode: unset, timeoutMs: unset, allowedIssuers: unset },
  region: unset,
  signal: unset,
});

export async function use(): Promise<string> {
  await using idp = await startLocalIdp();
  const problem: unknown = idp.issuer;
  const { verdict, rootCause }: Diagnosis = await diagnose({ issuer: idp.issuer, redact: true });
  if (rootCause?.id === "issuer-timeout") return \`\${verdict}: \${rootCause.remedy}\`;
  if (isWebIdentityError(problem)) return \`\${problem.code} \${problem.hint}\`;
  const { expiration } = await fromSource({ forceRefresh: true });
  return \`\${expiration?.toISOString()} \${fromToken.memoized} \${provider} \${client}\`;
}
`;

/** What a consumer writes, with imports that fit both module systems. */
export const GOOD_SAMPLE = `
import { STSClient } from "@aws-sdk/client-sts";
import type { AwsCredentialIdentityProvider } from "@smithy/types";
import { type AttemptFailedEvent, fromTokenFile, fromWebIdentity, fromWebToken, isWebIdentityError, type RetryOptions, type TokenSource } from "resilient-sts";
import { type Diagnosis, diagnose } from "resilient-sts/doctor";
import { startLocalIdp } from "resilient-sts/testing";
import { detectTokenSource, githubActions, gitlab, spiffe } from "resilient-sts/token-sources";
${CALLS}`;

/** Every call is wrong: a declaration that lets one through makes its directive an error. */
export const MISUSE_SAMPLE = `
import { fromTokenFile, fromWebIdentity, fromWebToken, WebIdentityError } from "resilient-sts";

// @ts-expect-error there is no such option
fromTokenFile({ maxRetries: 3 });
// @ts-expect-error a number of attempts
fromTokenFile({ retry: { maxAttempts: "3" } });
// @ts-expect-error a region is one string
fromTokenFile({ region: ["eu-west-1"] });
// @ts-expect-error not a mode
fromTokenFile({ preflight: "on" });
// @ts-expect-error the role is missing
fromWebToken({ webIdentityToken: "t" });
// @ts-expect-error the token is missing
fromWebToken({ roleArn: "r" });
// @ts-expect-error a source is called again for every attempt
fromWebIdentity({ token: "t", roleArn: "r" });
// @ts-expect-error a source gives a string
fromWebIdentity({ token: async () => 1, roleArn: "r" });
// @ts-expect-error codes are a closed set
export const code: WebIdentityError["code"] = "ERR_OTHER";
`;
