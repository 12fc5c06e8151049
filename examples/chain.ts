/*
 * Web identity first, the SDK's default chain after it: environment, SSO, profiles, ECS and EC2.
 * The chain goes on only when no web identity is configured (ERR_NOT_CONFIGURED, and no token file).
 * One that is configured and fails ends the chain: the workload must not silently run as another role.
 *
 * A service that passes no `credentials` gets exactly the second half; pass `credentials` to put
 * this provider before it.
 */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { createCredentialChain, fromNodeProviderChain } from "@aws-sdk/credential-providers";
import { fromTokenFile, isWebIdentityError } from "resilient-sts";

await using webIdentity = fromTokenFile();
const sts = new STSClient({
  credentials: createCredentialChain(webIdentity, fromNodeProviderChain()),
});

try {
  const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
  console.log(`This is ${Arn}`);
} catch (error) {
  if (!isWebIdentityError(error)) throw error;
  console.error(`${error.code}: ${error.hint}`);
  process.exitCode = 1;
} finally {
  sts.destroy();
}
