/**
 * Programs with AWS clients that this project did not write, and how often each asks for credentials.
 * A program makes five signed requests, one after the other, and ends with 0 when all got a response.
 * It finds credentials as its SDK does by default, unless its name says which provider it uses.
 */
import { findProgram, findPythonWithBoto3, findRubyWithAwsSdk } from "../support/program.js";

/** How many minutes the credentials are valid for when the client gets them. */
export const MINUTES_LEFT = [60, 12, 5] as const;

/** How often the client asks: an exact number, or the bounds where its own timers decide. */
export type RequestCount = number | readonly [least: number, most: number];

export interface RealClient {
  readonly name: string;
  /** The program and its arguments; `undefined` where it is not installed. */
  readonly command: readonly string[] | undefined;
  /** For each of {@link MINUTES_LEFT}. */
  readonly requestCounts: readonly [RequestCount, RequestCount, RequestCount];
}

/** The AWS CLI runs a process for each request. */
const AWS_CLI = `
for each in 1 2 3 4 5; do
  aws sts get-caller-identity --endpoint-url "$AWS_ENDPOINT_URL_STS" >/dev/null || exit
done`;
const BOTO3 = `
import os, boto3
sts = boto3.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"])
for _ in range(5): sts.get_caller_identity()`;
const RUBY = `
sts = Aws::STS::Client.new(endpoint: ENV["AWS_ENDPOINT_URL_STS"])
5.times { sts.get_caller_identity }`;

const awsCli = {
  name: "AWS CLI, five commands",
  command: commandOf(findProgram("aws") && "sh", "-c", AWS_CLI),
};
const boto3 = { name: "boto3", command: commandOf(findPythonWithBoto3(), "-c", BOTO3) };
const javascriptChain = {
  name: "AWS SDK for JavaScript, default chain",
  command: javascript("fromNodeProviderChain"),
};
/** One list of buckets and four lists of objects. */
const rclone = {
  name: "rclone",
  command: commandOf(
    findProgram("rclone"),
    ...["lsf", "--recursive", "--checkers", "1", "--config", "/dev/null"],
    ...["--retries", "1", "--low-level-retries", "1"],
    ...["--s3-provider", "Other", "--s3-env-auth", ":s3:"],
  ),
};
export const RUBY_COMMAND = commandOf(findRubyWithAwsSdk(), "-raws-sdk-core", "-e", RUBY);

function commandOf(program: string | undefined, ...args: string[]): readonly string[] | undefined {
  return program ? [program, ...args] : undefined;
}

function javascript(provider: string): readonly string[] {
  const script = `
    import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
    import { ${provider} } from "@aws-sdk/credential-providers";
    const sts = new STSClient({ credentials: ${provider}() });
    for (let n = 0; n < 5; n += 1) await sts.send(new GetCallerIdentityCommand({}));`;
  return [process.execPath, "--input-type=module", "--eval", script];
}

/** Requests to the container-credentials endpoint. */
export const ENDPOINT_CLIENTS = [
  { ...awsCli, requestCounts: [5, 10, 10] },
  { ...boto3, requestCounts: [1, 6, 6] },
  // Close to the expiration it refreshes in the background, at most once at a time.
  { ...javascriptChain, requestCounts: [1, 1, [2, 5]] },
  {
    name: "AWS SDK for JavaScript, `fromHttp()`",
    command: javascript("fromHttp"),
    requestCounts: [1, 1, 11],
  },
  { ...rclone, requestCounts: [1, 1, 5] },
] as const satisfies readonly RealClient[];

/** Runs of a profile's `credential_process`. */
export const PROCESS_CLIENTS = [
  { ...awsCli, requestCounts: [5, 10, 10] },
  { ...boto3, requestCounts: [1, 6, 6] },
  { ...javascriptChain, requestCounts: [1, 1, [2, 5]] },
  {
    name: "AWS SDK for JavaScript, `fromProcess()`",
    command: javascript("fromProcess"),
    requestCounts: [1, 1, 11],
  },
  { name: "AWS SDK for Ruby", command: RUBY_COMMAND, requestCounts: [2, 2, 9] },
  { ...rclone, requestCounts: [1, 1, 1] },
] as const satisfies readonly RealClient[];
