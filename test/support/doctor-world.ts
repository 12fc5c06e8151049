import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";

/** A workload with its identity provider and STS, and the environment that names them. */
export interface DoctorWorld extends AsyncDisposable {
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
  readonly token: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

export async function startDoctorWorld(): Promise<DoctorWorld> {
  const idp = await startLocalIdp();
  const sts = await startLocalSts();
  const token = await idp.issueToken();
  const folder = await mkdtemp(join(tmpdir(), "doctor-"));
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, token);
  return {
    idp,
    sts,
    token,
    folder,
    env: {
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/app",
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_REGION: "eu-west-1",
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([idp.close(), sts.close(), rm(folder, { recursive: true })]);
    },
  };
}
