/*
 * A chain: web identity where it is configured, the developer's own credentials where it is not.
 * Only ERR_NOT_CONFIGURED without any token file lets the chain move on. A web identity that is
 * configured and fails ends it: the workload must not silently run as somebody else.
 */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { createCredentialChain, fromEnv, fromIni } from "@aws-sdk/credential-providers";
import { fromTokenFile, isWebIdentityError } from "resilient-sts";

await using webIdentity = fromTokenFile();
const sts = new STSClient({
  credentials: createCredentialChain(webIdentity, fromEnv(), fromIni()),
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
