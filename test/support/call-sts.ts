import {
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityCommandInput,
  type AssumeRoleWithWebIdentityCommandOutput,
  type Credentials,
  GetCallerIdentityCommand,
  type GetCallerIdentityCommandOutput,
  STSClient,
  STSServiceException,
} from "@aws-sdk/client-sts";
import type { LocalSts } from "../../src/testing/index.js";

export const ROLE_ARN = "arn:aws:iam::123456789012:role/team/app";

/** What the SDK made of a response. */
export interface Reply<Output> {
  /** `"ok"`, the wire code, or the system's code where there was no response. */
  readonly code: string;
  readonly name?: string;
  readonly message?: string;
  readonly httpStatus?: number | undefined;
  readonly retryAfter?: string | undefined;
  readonly output?: Output;
}

export type AssumeRoleReply = Reply<AssumeRoleWithWebIdentityCommandOutput>;

/** Sends one AssumeRoleWithWebIdentity through the real client, once. */
export async function assumeRole(
  sts: LocalSts,
  token: string,
  input: Partial<AssumeRoleWithWebIdentityCommandInput> = {},
  client = clientOf(sts),
): Promise<AssumeRoleReply> {
  const command = new AssumeRoleWithWebIdentityCommand({
    RoleArn: ROLE_ARN,
    RoleSessionName: "test-session",
    WebIdentityToken: token,
    ...input,
  });
  return await replyOf(client.send(command));
}

/** Sends one GetCallerIdentity, signed with the credentials. */
export async function getCallerIdentity(
  sts: LocalSts,
  credentials: Partial<Credentials>,
): Promise<Reply<GetCallerIdentityCommandOutput>> {
  const client = clientOf(sts, credentials);
  return await replyOf(client.send(new GetCallerIdentityCommand({})));
}

export function clientOf(sts: LocalSts, credentials: Partial<Credentials> = {}): STSClient {
  return new STSClient({
    endpoint: sts.url,
    region: "eu-west-1",
    maxAttempts: 1,
    credentials: {
      accessKeyId: credentials.AccessKeyId ?? "AKIAUNKNOWN",
      secretAccessKey: credentials.SecretAccessKey ?? "secret",
      ...(credentials.SessionToken && { sessionToken: credentials.SessionToken }),
    },
  });
}

async function replyOf<Output>(sent: Promise<Output>): Promise<Reply<Output>> {
  try {
    return { code: "ok", httpStatus: 200, output: await sent };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { name, message } = error;
    if (!(error instanceof STSServiceException)) {
      return { code: "code" in error ? String(error.code) : name, name, message };
    }
    return {
      code: "Code" in error ? String(error.Code) : name,
      name,
      message,
      httpStatus: error.$metadata.httpStatusCode,
      retryAfter: error.$response?.headers["retry-after"],
    };
  }
}
