/*
 * A service that refuses to start with an identity that cannot work. The strict pre-flight looks at
 * the issuer before STS is asked, so that a wrong key or document costs no STS call, and the reason
 * and who must act are the last thing in the log. An outage is no refusal: it is retried.
 */
import { STSClient } from "@aws-sdk/client-sts";
import { fromTokenFile, isWebIdentityError } from "resilient-sts";

const credentials = fromTokenFile({
  preflight: {
    mode: "strict",
    // Only where the issuer is at a private address, or at one that only this network sees so.
    allowPrivateIssuers: process.env.ALLOW_PRIVATE_ISSUERS === "yes",
  },
});

try {
  await credentials();
} catch (error) {
  if (!isWebIdentityError(error)) throw error;
  console.error(`not starting: ${error.code}: ${error.message}`);
  for (const { severity, id, detail } of error.findings)
    console.error(`  ${severity} ${id}: ${detail}`);
  process.exit(1);
}

export const sts = new STSClient({ credentials });
const { expiresAt = 0 } = credentials.status();
console.log(`started with credentials until ${new Date(expiresAt).toISOString()}`);
