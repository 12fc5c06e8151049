import type { Environment } from "../../runtime/environment.js";
import { readVariable } from "../../runtime/environment.js";
import { wrongUsage } from "../command.js";
import { COMMON_OPTIONS, type CommandCall, type CommandSpec } from "../command-spec.js";
import { durationFrom } from "../option-values.js";
import { type ApplyFault, readFault } from "./fault-spec.js";

/** Examples of every fault, for the help and for shells. */
const IDP_FAULTS = [
  ...["idp:slow=6s", "idp:hang", "idp:rate-limit", "idp:status=503"],
  ...["idp:redirect=https://example.com/", "idp:html", "idp:reset", "idp:trickle", "idp:truncate"],
  ...["idp:down", "idp:no-cache", "idp:missing-key"],
];
const STS_FAULTS = [
  ...["sts:slow=3s", "sts:hang", "sts:reset", "sts:html", "sts:empty-200", "sts:down"],
  ...["sts:idp-unreachable", "sts:throttled", "sts:sts-unavailable", "sts:token-expired"],
  ...["sts:token-early", "sts:token-rejected", "sts:access-denied", "sts:region-disabled"],
  ...["sts:request-invalid", "sts:unknown"],
];

export const EMULATE_SPEC = {
  runsCommand: true,
  name: "emulate",
  usage: "[options] [-- command [argument...]]",
  about: `
Runs a local identity provider and a local STS, writes a token to a file and renews it. With a
command it runs that command in an environment that leads to them, passes signals on to it and ends
with its exit code. Without one it prints the environment as a shell script, and runs until Ctrl-C.

Faults of the identity provider, of both documents or of one (idp:jwks:slow=6s, idp:discovery:hang):
${IDP_FAULTS.join(", ")}.

Faults of STS: ${STS_FAULTS.join(", ")}.

How often, for all but down, no-cache and missing-key: with ",times=3" only the next three requests,
with ",probability=0.3" three of ten.`,
  groups: {
    "The servers": ["idp-port", "sts-port", "fault"],
    "The environment": ["token-file", "token-lifetime", "role-arn", "region"],
    Others: ["help", "version"],
  },
  options: {
    "idp-port": {
      type: "string",
      value: "PORT",
      help: "Port of the identity provider. Default: 4011; with a command, any free port.",
    },
    "sts-port": {
      type: "string",
      value: "PORT",
      help: "Port of STS. Default: 4012; with a command, any free port.",
    },
    "token-file": {
      type: "string",
      value: "FILE",
      complete: "file",
      help: "New file for the token. Default: one in the folder for temporary files.",
    },
    "token-lifetime": {
      type: "string",
      value: "TIME",
      default: "60m",
      help: "How long a token lives; after half of it a new one is written. Default: 60m.",
    },
    "role-arn": {
      type: "string",
      value: "ARN",
      default: "arn:aws:iam::123456789012:role/emulated",
      help: "Role of the environment. Every role is granted.",
    },
    region: {
      type: "string",
      value: "REGION",
      complete: "region",
      help: "Region of the environment. Default: AWS_REGION, or us-east-1.",
    },
    fault: {
      type: "string",
      multiple: true,
      value: "FAULT",
      complete: [...IDP_FAULTS, ...STS_FAULTS],
      help: "A fault to simulate; may be repeated.",
    },
    ...COMMON_OPTIONS,
  },
  examples: [
    [
      "Your own service while the identity provider is slow three times of ten",
      "resilient-sts emulate --fault idp:jwks:slow=6s,probability=0.3 -- npm start",
    ],
    [
      "An environment for several programs",
      "resilient-sts emulate > emulated.env &   then   . ./emulated.env",
    ],
  ],
} as const satisfies CommandSpec;

/** What a run of `resilient-sts emulate` does. */
export interface EmulateOptions {
  readonly idpPort: number;
  readonly stsPort: number;
  readonly tokenFile: string | undefined;
  readonly tokenLifetimeMs: number;
  readonly roleArn: string;
  readonly region: string;
  readonly faults: readonly ApplyFault[];
  readonly faultNames: readonly string[];
  /** The command to run; empty when the environment is printed. */
  readonly command: readonly string[];
}

export function readEmulateOptions(
  { values, operands: command }: CommandCall<typeof EMULATE_SPEC.options>,
  env: Environment,
): EmulateOptions {
  const faultNames = values.fault ?? [];
  const tokenFile = notEmpty("token-file", values["token-file"]);
  // Its name goes into a script, in which a line break would begin the next command.
  if (/\p{Cc}/u.test(tokenFile ?? "")) {
    throw wrongUsage("--token-file has a control character in its name; choose another");
  }
  const [idpPort, stsPort] = command.length === 0 ? ["4011", "4012"] : ["0", "0"];
  return {
    idpPort: readPort("idp-port", values["idp-port"] ?? idpPort),
    stsPort: readPort("sts-port", values["sts-port"] ?? stsPort),
    tokenFile,
    tokenLifetimeMs: durationFrom(2_000, 86_400_000)("token-lifetime", values["token-lifetime"]),
    roleArn: notEmpty("role-arn", values["role-arn"]),
    region: notEmpty("region", values.region) ?? readVariable(env, "AWS_REGION") ?? "us-east-1",
    faults: faultNames.map(readFault),
    faultNames,
    command,
  };
}

/** 0 lets the system choose. */
function readPort(flag: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw wrongUsage(`--${flag} takes a port from 0 to 65535; 0 is any free port`);
}

function notEmpty<Text extends string | undefined>(flag: string, text: Text): Text {
  if (text === "") throw wrongUsage(`--${flag} is empty; give it a value or leave it out`);
  return text;
}
