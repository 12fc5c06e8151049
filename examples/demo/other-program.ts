/** A program in another language that calls GetCallerIdentity: Python with boto3, or the AWS CLI. */
import { execFile } from "node:child_process";
import { devNull } from "node:os";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Environment variables that lead to STS and to the credentials. */
export type Variables = Readonly<Record<string, string>>;

export interface OtherProgram {
  /** The name that the demo prints. */
  readonly name: "boto3" | "aws";
  /**
   * Runs it with these variables and no other AWS settings.
   *
   * @returns the ARN that STS reports for it.
   * @throws an error with the last line that the program wrote.
   */
  whoAmI(variables: Variables): Promise<string>;
}

/** What the demo needs to show another program. */
export const NEEDED = "Python with boto3 1.28 or later, or the AWS CLI 2.13 or later";

interface Candidate {
  readonly name: OtherProgram["name"];
  readonly program: string;
  /** Arguments that make it print its version. */
  readonly version: readonly string[];
  /**
   * For each major version, the first minor version that reads AWS_ENDPOINT_URL_STS. An older one
   * would call AWS's STS.
   */
  readonly least: Readonly<Record<string, number>>;
  readonly ask: readonly string[];
}

const CANDIDATES: readonly Candidate[] = [
  {
    name: "boto3",
    program: "python3",
    version: ["-c", "import boto3; print('boto3/' + boto3.__version__)"],
    least: { "1": 28 },
    ask: ["-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"],
  },
  {
    name: "aws",
    program: "aws",
    version: ["--version"],
    least: { "1": 29, "2": 13 },
    ask: ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"],
  },
];

/** The first of the programs that this machine has. */
export async function findOtherProgram(): Promise<OtherProgram | undefined> {
  const found = await Promise.all(
    CANDIDATES.map(async (candidate) => ((await isUsable(candidate)) ? candidate : undefined)),
  );
  const candidate = found.find((each) => each !== undefined);
  if (candidate === undefined) return undefined;
  const { name, program, ask } = candidate;
  return {
    name,
    async whoAmI(variables) {
      try {
        const { stdout } = await run(program, [...ask], { env: environment(variables) });
        return stdout.trim();
      } catch (error) {
        const { stderr = "", message } = error as Error & { stderr?: string };
        throw programError(stderr.trim().split("\n").at(-1) || message);
      }
    },
  };
}

/** botocore's words: `An error occurred (CODE) when calling the … operation: MESSAGE`. */
function programError(line: string): Error {
  const [, code = "Error", message = line] = /\((\w+)\) when calling .*?: (.*)/.exec(line) ?? [];
  return Object.assign(new Error(message), { name: code });
}

async function isUsable({ program, version, least }: Candidate): Promise<boolean> {
  const words = await run(program, [...version], { env: environment({}) }).then(
    ({ stdout, stderr }) => stdout + stderr,
    () => "",
  );
  const [, major = "", minor = ""] = /^(?:boto3|aws-cli)\/(\d+)\.(\d+)/m.exec(words) ?? [];
  return Number(minor) >= (least[major] ?? Number.POSITIVE_INFINITY);
}

/** This machine's environment without its AWS settings and proxies. */
function environment(variables: Variables): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^AWS_|_proxy$/i.test(name));
  return {
    ...Object.fromEntries(inherited),
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: "true",
    ...variables,
  };
}
