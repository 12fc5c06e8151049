import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type LocalStsOptions, startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { temporaryFolder } from "../support/temporary-folder.js";

export const ROLE_ARN = "arn:aws:iam::123456789012:role/app";

/** An IdP, an STS, a token file, and the variables by which a command finds them. */
export async function startCredentialsWorld(options: LocalStsOptions = {}) {
  const idp = await startLocalIdp({ algorithm: "ES256" });
  const sts = await startLocalSts({ ...options, providers: [idp] });
  const folder = temporaryFolder();
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, await idp.issueToken());
  return {
    idp,
    sts,
    folder: folder.path,
    tokenFile,
    env: {
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_REGION: "eu-west-1",
      TMPDIR: folder.path,
      XDG_RUNTIME_DIR: folder.path,
    },
    calls: () => sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity").length,
    async [Symbol.asyncDispose]() {
      await Promise.all([idp.close(), sts.close()]);
      folder[Symbol.dispose]();
    },
  };
}
