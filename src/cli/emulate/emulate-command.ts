import { setTimeout as sleep } from "node:timers/promises";
import { quoteForPosix, quoteForPowerShell } from "../../doctor/shell-quote.js";
import { safeText } from "../../runtime/redact.js";
import { formatDuration } from "../../runtime/time-text.js";
import type { LocalServer } from "../../testing/loopback-server.js";
import { EXIT, type ExitCode, wrongUsage } from "../command-failure.js";
import { print } from "../print.js";
import type { Surroundings } from "../surroundings.js";
import { EMULATE_HELP } from "./emulate-help.js";
import { type EmulateOptions, readEmulateOptions } from "./emulate-options.js";
import type { Servers } from "./fault-spec.js";
import { KeptTokenFile } from "./kept-token-file.js";
import { tellRequests } from "./tell-requests.js";

/** `resilient-sts emulate`. */
export async function emulateCommand(args: string[], around: Surroundings): Promise<ExitCode> {
  const options = readEmulateOptions(args, around.env);
  if (options.wantsHelp) {
    await print(around.stdout, EMULATE_HELP);
    return EXIT.fine;
  }
  const { startLocalIdp } = await import("../../testing/idp/local-idp.js");
  const { startLocalSts } = await import("../../testing/sts/local-sts.js");
  await using idp = await started("idp-port", startLocalIdp({ port: options.idpPort }));
  await using sts = await started("sts-port", startLocalSts({ port: options.stsPort }));
  for (const apply of options.faults) await apply({ idp, sts });
  const expiresInSeconds = Math.ceil(options.tokenLifetimeMs / 1000);
  const newToken = () => idp.issueToken({ expiresInSeconds });
  await using tokenFile = await KeptTokenFile.create(options.tokenFile, await newToken());
  await print(around.stdout, introduction(options, { idp, sts }, tokenFile.path));
  using _requests = tellRequests({ idp, sts }, around.stderr);
  while (!around.signal.aborted) {
    await sleep(options.tokenLifetimeMs / 2, undefined, around).catch(() => {});
    if (!around.signal.aborted) await tokenFile.replace(await newToken());
  }
  return EXIT.fine;
}

async function started<Server extends LocalServer>(flag: string, server: Promise<Server>) {
  try {
    return await server;
  } catch (error) {
    const { code, port } = error as NodeJS.ErrnoException & { port?: number };
    const problem = { EADDRINUSE: "is taken", EACCES: "is not for this user" }[code ?? ""];
    if (problem === undefined) throw error;
    throw wrongUsage(`port ${port} ${problem}; choose another with --${flag}`);
  }
}

function introduction(options: EmulateOptions, { idp, sts }: Servers, tokenFile: string): string {
  const variables = Object.entries({
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_ARN: options.roleArn,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_REGION: options.region,
  });
  const { faultNames, tokenLifetimeMs } = options;
  const faults = faultNames.map((name) => safeText(name)).join("  ");
  return [
    `# Identity provider  ${idp.issuer}`,
    `# STS                ${sts.url}`,
    `# Faults             ${faults === "" ? "none" : faults}`,
    `# Token file         ${safeText(tokenFile)}, renewed every ${formatDuration(tokenLifetimeMs / 2)}`,
    "",
    ...variables.map(([name, value]) => `export ${name}=${quoteForPosix(value)}`),
    "",
    "# The same in PowerShell:",
    ...variables.map(([name, value]) => `# $env:${name} = ${quoteForPowerShell(value)}`),
    "",
    "# Then: resilient-sts doctor --allow-private-issuers",
    "#   or: aws sts assume-role-with-web-identity --role-session-name me \\",
    '#         --endpoint-url "$AWS_ENDPOINT_URL_STS" --role-arn "$AWS_ROLE_ARN" \\',
    '#         --web-identity-token "$(cat "$AWS_WEB_IDENTITY_TOKEN_FILE")"',
    "# Ctrl-C ends it and removes the token file.",
    "",
  ].join("\n");
}
