/*
 * Web identity first, then the SDK's default chain: environment, SSO, profiles, ECS and EC2.
 * The chain continues only when no token file is configured (ERR_NOT_CONFIGURED). If a configured web
 * identity fails, the chain ends: the workload must not silently run as another role.
 *
 * A client without `credentials` uses only the SDK's default chain. Pass `credentials` to put this
 * provider in front of it.
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
