import { wrongUsage } from "../command-failure.js";
import { parseDuration } from "../duration.js";
import { tokenSourceName } from "../provider-options.js";
import { readArguments } from "../read-arguments.js";
import type { LookRequest } from "./look-messages.js";

/** What `resilient-sts doctor` was told to do. */
export interface DoctorOptions {
  readonly wantsHelp: boolean;
  readonly diagnose: LookRequest;
  readonly readsTokenFromStdin: boolean;
  readonly json: boolean;
  readonly htmlFile: string | undefined;
  readonly commands: boolean;
  readonly watchMs: number | undefined;
}

const FLAGS = {
  help: { type: "boolean", short: "h" },
  token: { type: "string" },
  "token-file": { type: "string" },
  "token-source": { type: "string" },
  audience: { type: "string" },
  profile: { type: "string" },
  "role-arn": { type: "string" },
  "role-session-name": { type: "string" },
  region: { type: "string" },
  "failover-region": { type: "string", multiple: true },
  issuer: { type: "string" },
  "endpoint-url": { type: "string" },
  "allow-private-issuers": { type: "boolean" },
  "no-assume": { type: "boolean" },
  redact: { type: "boolean" },
  json: { type: "boolean" },
  html: { type: "string" },
  commands: { type: "boolean" },
  watch: { type: "string" },
  timeout: { type: "string" },
} as const;

type Values = ReturnType<typeof readValues>;

function readValues(args: string[]) {
  return readArguments("doctor ", args, FLAGS);
}

/** Reads the flags; what is wrong with them ends the command. */
export function readDoctorOptions(args: string[]): DoctorOptions {
  const values = readValues(args);
  checkCombinations(values);
  const { token, watch, timeout } = values;
  const isTokenInSight = JWT.test(values["token-file"] ?? "");
  if (isTokenInSight || (token !== undefined && token !== "-")) {
    throw wrongUsage(
      "a token on the command line can be read by everybody on this machine; pipe it in (--token -) or name its file (--token-file)",
    );
  }
  const regions = (values["failover-region"] ?? []).flatMap((text) => text.split(","));
  return {
    wantsHelp: values.help ?? false,
    readsTokenFromStdin: token === "-",
    json: values.json ?? false,
    htmlFile: notEmpty("html", values.html),
    commands: values.commands ?? false,
    watchMs: watch === undefined ? undefined : parseDuration("watch", watch, 1000, 86_400_000),
    diagnose: {
      tokenFile: notEmpty("token-file", values["token-file"]),
      tokenSource:
        values["token-source"] === undefined
          ? undefined
          : tokenSourceName("token-source", values["token-source"]),
      audience: notEmpty("audience", values.audience),
      profile: notEmpty("profile", values.profile),
      roleArn: notEmpty("role-arn", values["role-arn"]),
      roleSessionName: notEmpty("role-session-name", values["role-session-name"]),
      region: values.region === undefined ? undefined : regionName("region", values.region),
      failoverRegions: regions.map((region) => regionName("failover-region", region)),
      issuer: httpUrl("issuer", values.issuer),
      endpointUrl: httpUrl("endpoint-url", values["endpoint-url"]),
      allowPrivateIssuers: values["allow-private-issuers"],
      assume: values["no-assume"] !== true && values.commands !== true,
      redact: values.redact ?? false,
      ...(timeout === undefined
        ? {}
        : { timeoutMs: parseDuration("timeout", timeout, 1000, 60_000) }),
    },
  };
}

const JWT = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;

/** Flags that cannot both be meant. */
const EXCLUSIVE: readonly (readonly [keyof typeof FLAGS, keyof typeof FLAGS])[] = [
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
  ...(["role-arn", "role-session-name", "region", "failover-region", "endpoint-url"] as const).map(
    (flag) => ["issuer", flag] as const,
  ),
  ["commands", "json"],
  ["commands", "html"],
  ["commands", "watch"],
  ["watch", "json"],
  ["watch", "html"],
];

function checkCombinations(values: Values): void {
  const clash = EXCLUSIVE.find(([a, b]) => values[a] !== undefined && values[b] !== undefined);
  if (clash === undefined) return;
  const [a, b] = clash;
  const why = a === "issuer" ? "; --issuer looks at an issuer alone" : "";
  throw wrongUsage(`--${a} and --${b} do not go together; leave one out${why}`);
}

function notEmpty(flag: string, text: string | undefined): string | undefined {
  if (text?.trim() === "") throw wrongUsage(`--${flag} is empty; give it a value or leave it out`);
  return text;
}

function regionName(flag: string, text: string): string {
  const region = text.trim();
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) return region;
  throw wrongUsage(`--${flag} takes the name of an AWS region, such as eu-west-1`);
}

/** The text as it was given: an issuer is compared letter by letter. */
function httpUrl(flag: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  // `https:example.com` is a URL to a browser, and an issuer to nobody.
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url && url.username === "" && url.password === "") {
    return text;
  }
  throw wrongUsage(
    `--${flag} takes a URL with https:// and without a password, such as https://example.com`,
  );
}
