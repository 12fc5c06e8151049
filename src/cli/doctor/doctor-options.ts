import { wrongUsage } from "../command.js";
import { COMMON_OPTIONS, type CommandCall, type CommandSpec } from "../command-spec.js";
import {
  durationFrom,
  httpUrl,
  notEmpty,
  readOption,
  regionName,
  regionNames,
  tokenSourceName,
} from "../option-values.js";
import { PROVIDER_OPTIONS } from "../provider-options.js";
import { STORE_OPTION_NAMES, STORE_OPTIONS } from "../shared-store.js";
import type { DiagnosisRequest } from "./diagnosis-process.js";

const { duration: _, ...SHARED_OPTIONS } = PROVIDER_OPTIONS;

export const DOCTOR_SPEC = {
  name: "doctor",
  usage: "[options]",
  about: `
Finds out why AssumeRoleWithWebIdentity fails, and who must change what. Without options it checks
what the workload would use: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_REGION and the other
variables of the AWS SDKs.

Exit codes: 0 healthy (there may be advice), 1 something fatal or suspect was found, 2 wrong usage,
3 the doctor itself failed, 130 stopped by Ctrl-C. --watch ends with the worst of 0 and 1.

Tokens, signatures and credentials are never printed. NO_COLOR turns colors off; a terminal whose
locale has no UTF-8 gets ASCII.`,
  groups: {
    "What to check": [
      ...(["token-file", "token", "token-source", "audience", "profile"] as const),
      ...(["role-arn", "role-session-name", "region", "failover-region"] as const),
      ...(["endpoint-url", "issuer", "allow-private-issuers", "no-assume", "timeout"] as const),
      ...STORE_OPTION_NAMES,
    ],
    "What to print": ["json", "html", "commands", "watch", "redact", "help", "version"],
  },
  options: {
    ...SHARED_OPTIONS,
    ...STORE_OPTIONS,
    store: {
      ...STORE_OPTIONS.store,
      help: "Also check this shared store: file, file:DIR, redis://HOST or rediss://HOST. Default: RESILIENT_STS_STORE, where a URL may have a password.",
    },
    token: {
      type: "string",
      value: "-",
      complete: ["-"],
      help: "Read the token from standard input.",
    },
    issuer: {
      type: "string",
      value: "URL",
      help: "Check this issuer alone, without a token and without STS.",
    },
    "allow-private-issuers": {
      type: "boolean",
      help: "Also check issuers at private addresses, and issuers on this machine over http.",
    },
    "no-assume": {
      type: "boolean",
      help: "Don't call AssumeRoleWithWebIdentity.",
    },
    timeout: {
      type: "string",
      value: "TIME",
      help: "Limit for the whole run, 1s to 60s. Default: 18s.",
    },
    json: {
      type: "boolean",
      help: "Print the diagnosis as JSON, one line for each check with --watch. Its schema is schema/diagnosis-v1.schema.json in the package.",
    },
    html: {
      type: "string",
      value: "FILE",
      complete: "file",
      help: "Also write the report as an HTML page.",
    },
    commands: {
      type: "boolean",
      help: "Print AWS's steps for curl and PowerShell with your URLs, for a machine or network without Node.",
    },
    watch: {
      type: "string",
      value: "TIME",
      help: "Check again every TIME (30s, 5m) until Ctrl-C, and print what changed.",
    },
    redact: {
      type: "boolean",
      help: "Mask account IDs and leave out the token's subject.",
    },
    ...COMMON_OPTIONS,
  },
  examples: [
    ["Where the workload runs: check what it would use", "resilient-sts doctor"],
    [
      "A token from another machine, with a report to attach to a ticket",
      "resilient-sts doctor --token - --role-arn ARN --redact --html a.html < token",
    ],
    [
      "Whether AWS can read an issuer, before there is a token",
      "resilient-sts doctor --issuer https://login.example.com",
    ],
    ["Watch an outage", "resilient-sts doctor --watch 30s"],
    [
      "Whether processes can share credentials",
      "resilient-sts doctor --store redis://cache.example.com --store-keys keys",
    ],
  ],
} as const satisfies CommandSpec;

type DoctorValues = CommandCall<typeof DOCTOR_SPEC.options>["values"];

/** What a run of the doctor does. */
export interface DoctorOptions {
  readonly request: DiagnosisRequest;
  readonly readsTokenFromStdin: boolean;
  readonly json: boolean;
  readonly htmlFile: string | undefined;
  readonly commands: boolean;
  readonly watchMs: number | undefined;
}

/** @throws CommandFailure for options that can't be used, or can't be used together. */
export function readDoctorOptions(values: DoctorValues): DoctorOptions {
  checkCombinations(values);
  refuseVisibleToken(values);
  const timeoutMs = readOption(values, "timeout", durationFrom(1_000, 60_000));
  return {
    readsTokenFromStdin: values.token === "-",
    json: values.json ?? false,
    htmlFile: readOption(values, "html", notEmpty),
    commands: values.commands ?? false,
    watchMs: readOption(values, "watch", durationFrom(1_000, 86_400_000)),
    request: {
      tokenFile: readOption(values, "token-file", notEmpty),
      tokenSource: readOption(values, "token-source", tokenSourceName),
      audience: readOption(values, "audience", notEmpty),
      profile: readOption(values, "profile", notEmpty),
      roleArn: readOption(values, "role-arn", notEmpty),
      roleSessionName: readOption(values, "role-session-name", notEmpty),
      region: readOption(values, "region", regionName),
      failoverRegions: regionNames("failover-region", values["failover-region"]),
      issuer: readOption(values, "issuer", httpUrl),
      endpointUrl: readOption(values, "endpoint-url", httpUrl),
      allowPrivateIssuers: values["allow-private-issuers"],
      assume: values["no-assume"] !== true && values.commands !== true,
      redact: values.redact ?? false,
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
  };
}

const JWT = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;

function refuseVisibleToken({ token, "token-file": file }: DoctorValues): void {
  if ((token === undefined || token === "-") && !JWT.test(file ?? "")) return;
  throw wrongUsage(
    "every user of this machine can read a token on the command line; pipe it in (--token -) or name its file (--token-file)",
  );
}

/** Pairs of options that can't be used together. */
const EXCLUSIVE: readonly (readonly [keyof DoctorValues, keyof DoctorValues])[] = [
  ["token", "token-file"],
  ["token", "token-source"],
  ["token-file", "token-source"],
  ["token", "audience"],
  ["token-file", "audience"],
  ["issuer", "token-source"],
  ["issuer", "audience"],
  ["issuer", "profile"],
  ["issuer", "token"],
  ["issuer", "token-file"],
  ["issuer", "role-arn"],
  ["issuer", "role-session-name"],
  ["issuer", "region"],
  ["issuer", "failover-region"],
  ["issuer", "endpoint-url"],
  ["issuer", "store"],
  ["commands", "json"],
  ["commands", "html"],
  ["commands", "watch"],
  ["watch", "html"],
];

function checkCombinations(values: DoctorValues): void {
  const clash = EXCLUSIVE.find(([a, b]) => values[a] !== undefined && values[b] !== undefined);
  if (clash === undefined) return;
  const [a, b] = clash;
  const why = a === "issuer" ? "; --issuer checks an issuer alone" : "";
  throw wrongUsage(`--${a} and --${b} can't be used together; leave one out${why}`);
}
