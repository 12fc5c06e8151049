/** The options of `resilient-sts emulate`, and the faults that `--fault` can name. */
import { type Environment, readVariable } from "../../runtime/environment.js";
import type { IdpFault, IdpFaultRule } from "../../testing/idp/idp-fault.js";
import type { LocalIdp } from "../../testing/idp/local-idp.js";
import type { LocalSts } from "../../testing/sts/local-sts.js";
import { STS_FAULT_NAMES, type StsFaultOptions } from "../../testing/sts/sts-fault.js";
import { wrongUsage } from "../command.js";
import {
  COMMON_OPTIONS,
  type CommandCall,
  type CommandSpec,
  durationFrom,
  notEmpty,
  readOption,
  splitOnce,
} from "../command-spec.js";

/** An example of each fault, for the help and for shells. */
const IDP_FAULTS = [
  ...["idp:slow=6s", "idp:hang", "idp:rate-limit", "idp:status=503"],
  ...["idp:redirect=https://example.com/", "idp:html", "idp:reset", "idp:trickle", "idp:truncate"],
  ...["idp:down", "idp:no-cache", "idp:missing-key"],
];
const STS_FAULTS = [
  ...STS_FAULT_NAMES.map((name) => (name === "slow" ? "sts:slow=3s" : `sts:${name}`)),
  "sts:down",
];

export const EMULATE_SPEC = {
  runsCommand: true,
  name: "emulate",
  usage: "[options] [-- command [argument...]]",
  about: `
Runs a local identity provider and a local STS, writes a token to a file and renews it. With a
command, it runs that command in an environment that uses them, passes signals on to it and exits
with its exit code. Without one, it prints the environment as a shell script and runs until Ctrl-C.

Faults of the identity provider, in both documents or in one (idp:jwks:slow=6s, idp:discovery:hang):
${IDP_FAULTS.join(", ")}.

Faults of STS: ${STS_FAULTS.join(", ")}.

All faults except down, no-cache and missing-key can be limited: ",times=3" applies a fault only to the
next three requests, ",probability=0.3" to three out of ten.`,
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
      help: "New file for the token. Default: one in the temporary directory.",
    },
    "token-lifetime": {
      type: "string",
      value: "TIME",
      default: "60m",
      help: "Lifetime of a token. Halfway through it, the file gets a new one. Default: 60m.",
    },
    "role-arn": {
      type: "string",
      value: "ARN",
      default: "arn:aws:iam::123456789012:role/emulated",
      help: "Role of the environment. The local STS accepts any role. Default: arn:aws:iam::123456789012:role/emulated.",
    },
    region: {
      type: "string",
      value: "REGION",
      complete: "region",
      help: "Region of the environment. Default: the inherited AWS_REGION, or us-east-1.",
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
      "Run your service with an identity provider that is slow in 3 of 10 requests",
      "resilient-sts emulate --fault idp:jwks:slow=6s,probability=0.3 -- npm start",
    ],
    [
      "Use the same environment in several programs; load it with . ./emulated.env",
      "resilient-sts emulate > emulated.env &",
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
  const tokenFile = readOption(values, "token-file", notEmpty);
  // The printed script contains the name, and a line break in it would start another command.
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
    region:
      readOption(values, "region", notEmpty) ?? readVariable(env, "AWS_REGION") ?? "us-east-1",
    faults: faultNames.map(readFault),
    faultNames,
    command,
  };
}

/** With 0, the system chooses a free port. */
function readPort(flag: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw wrongUsage(`--${flag} takes a port from 0 to 65535; 0 is any free port`);
}

export interface Servers {
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
}

/** Sets a fault of the command line in the local servers. */
export type ApplyFault = (servers: Servers) => Promise<void>;

interface Rule {
  readonly times?: number;
  readonly probability?: number;
}

/** The parts of a fault on the command line. */
interface WrittenFault {
  /** The complete text, for errors. */
  readonly spec: string;
  readonly name: string;
  readonly value: string | undefined;
  readonly rule: Rule;
}

/**
 * Reads a fault such as `idp:jwks:slow=6s,probability=0.3`.
 *
 * @throws CommandFailure for a fault that does not exist.
 */
export function readFault(spec: string): ApplyFault {
  const [what = "", ...conditions] = spec.split(",");
  const [head, value] = splitOnce(what, "=");
  const [party, ...rest] = head.split(":");
  const fault = { spec, name: rest.at(-1) ?? "", value, rule: readRule(spec, conditions) };
  if (party === "sts" && rest.length === 1) return stsFault(fault);
  const on = rest.length === 2 ? rest[0] : undefined;
  const isIdp = party === "idp" && rest.length <= 2;
  if (isIdp && (on === undefined || on === "jwks" || on === "discovery")) {
    return idpFault(fault, on === undefined ? fault.rule : { ...fault.rule, on });
  }
  throw unknownFault(spec);
}

function idpFault({ spec, name, value }: WrittenFault, rule: IdpFaultRule): ApplyFault {
  const isPlain = Object.keys(rule).length === 0 && value === undefined;
  const set =
    (fault: IdpFault): ApplyFault =>
    async ({ idp }) =>
      idp.setFault(fault);
  switch (name) {
    case "slow":
      return set({ ...rule, kind: "slow", delayMs: readDelay("fault", value ?? "6s") });
    case "status":
      return set({ ...rule, kind: "status", httpStatus: readStatus(spec, value) });
    case "redirect":
      if (value === undefined || !URL.canParse(value)) break;
      return set({ ...rule, kind: "redirect", location: value });
    case "rate-limit":
    case "html":
    case "hang":
    case "reset":
    case "truncate":
    case "trickle":
      if (value !== undefined) break;
      return set({ ...rule, kind: name });
    case "down":
      if (!isPlain) break;
      return async ({ idp }) => await idp.refuseConnections();
    case "no-cache":
      if (!isPlain) break;
      return async ({ idp }) => idp.setHeaders({ "cache-control": "no-cache, no-store" });
    case "missing-key":
      if (!isPlain) break;
      return async ({ idp }) => void (await idp.rotateKeys({ publish: false }));
  }
  throw unknownFault(spec);
}

function stsFault({ spec, name, value, rule }: WrittenFault): ApplyFault {
  if (name === "down" && value === undefined && Object.keys(rule).length === 0) {
    return async ({ sts }) => await sts.refuseConnections();
  }
  const fault = STS_FAULT_NAMES.find((known) => known === name);
  if (fault === undefined || (value !== undefined && fault !== "slow")) throw unknownFault(spec);
  const options: StsFaultOptions =
    value === undefined ? rule : { ...rule, delayMs: readDelay("fault", value) };
  return async ({ sts }) => sts.setFault(fault, options);
}

const readDelay = durationFrom(1, 600_000);

function readRule(spec: string, conditions: readonly string[]): Rule {
  const rule: { times?: number; probability?: number } = {};
  for (const condition of conditions) {
    const [name, text = ""] = splitOnce(condition, "=");
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (name === "times" && Number.isInteger(value) && value > 0) rule.times = value;
    else if (name === "probability" && value >= 0 && value <= 1) rule.probability = value;
    else throw unknownFault(spec);
  }
  return rule;
}

function readStatus(spec: string, text: string | undefined): number {
  const status = /^[2-5]\d\d$/.test(text ?? "") ? Number(text) : undefined;
  if (status === undefined) throw unknownFault(spec);
  return status;
}

function unknownFault(spec: string) {
  return wrongUsage(
    `--fault ${JSON.stringify(spec.slice(0, 80))} does not exist; resilient-sts emulate --help lists the faults`,
  );
}
