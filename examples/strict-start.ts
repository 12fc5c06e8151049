/*
 * A service that refuses to start if its identity can't work. The strict issuer check runs before the STS
 * call, so a wrong key or document costs no STS call. The last lines of the log say what is wrong and who
 * must change it. The provider retries an outage of the issuer.
 */
import { STSClient } from "@aws-sdk/client-sts";
import { fromTokenFile, isWebIdentityError } from "resilient-sts";

const credentials = fromTokenFile({
  preflight: {
    mode: "strict",
    // Only if the issuer has a private address, or one that only this network can reach.
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
