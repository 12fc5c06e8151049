import type { Environment } from "../../runtime/environment.js";
import { readVariable } from "../../runtime/environment.js";
import { wrongUsage } from "../command-failure.js";
import { parseDuration } from "../duration.js";
import { readArguments } from "../read-arguments.js";
import { type ApplyFault, readFault } from "./fault-spec.js";

/** What `resilient-sts emulate` was told to do. */
export interface EmulateOptions {
  readonly wantsHelp: boolean;
  readonly idpPort: number;
  readonly stsPort: number;
  readonly tokenFile: string | undefined;
  readonly tokenLifetimeMs: number;
  readonly roleArn: string;
  readonly region: string;
  readonly faults: readonly ApplyFault[];
  readonly faultNames: readonly string[];
}

export function readEmulateOptions(args: string[], env: Environment): EmulateOptions {
  const values = readArguments("emulate ", args, {
    help: { type: "boolean", short: "h" },
    "idp-port": { type: "string", default: "4011" },
    "sts-port": { type: "string", default: "4012" },
    "token-file": { type: "string" },
    "token-lifetime": { type: "string", default: "60m" },
    "role-arn": { type: "string", default: "arn:aws:iam::123456789012:role/emulated" },
    region: { type: "string" },
    fault: { type: "string", multiple: true },
  });
  const faultNames = values.fault ?? [];
  const tokenFile = notEmpty("token-file", values["token-file"]);
  // Its name goes into a script, in which a line break would begin the next command.
  if (/\p{Cc}/u.test(tokenFile ?? "")) {
    throw wrongUsage("--token-file has a control character in its name; choose another");
  }
  return {
    wantsHelp: values.help ?? false,
    idpPort: readPort("idp-port", values["idp-port"]),
    stsPort: readPort("sts-port", values["sts-port"]),
    tokenFile,
    tokenLifetimeMs: parseDuration("token-lifetime", values["token-lifetime"], 2000, 86_400_000),
    roleArn: notEmpty("role-arn", values["role-arn"]),
    region: notEmpty("region", values.region) ?? readVariable(env, "AWS_REGION") ?? "us-east-1",
    faults: faultNames.map(readFault),
    faultNames,
  };
}

/** 0 lets the system choose. */
function readPort(flag: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw wrongUsage(`--${flag} takes a port from 0 to 65535; 0 takes any that is free`);
}

function notEmpty<Text extends string | undefined>(flag: string, text: Text): Text {
  if (text === "") throw wrongUsage(`--${flag} is empty; give it a value or leave it out`);
  return text;
}
