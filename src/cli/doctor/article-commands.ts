/**
 * AWS's steps for "Couldn't retrieve verification key" with the addresses of this case, as commands
 * for machines and networks without Node.
 */

import { type Diagnosis, type Facts, MASKED_ACCOUNT } from "../../doctor/diagnosis.js";
import { bareHostname } from "../../runtime/bare-hostname.js";
import { type Places, posixCommands, type Step } from "./posix-commands.js";
import { powerShellCommands } from "./powershell-commands.js";

/** AWS's steps for "Couldn't retrieve verification key", with the addresses of this case. */
export function articleCommands(diagnosis: Diagnosis): string | undefined {
  const places = placesOf(diagnosis.facts);
  if (places === undefined) return undefined;
  const section = (title: string, steps: readonly Step[]) => [
    `# ${"=".repeat(4)} ${title} ${"=".repeat(4)}`,
    ...steps.flatMap(({ title, commands }, index) => ["", `# ${index + 1}. ${title}`, ...commands]),
  ];
  const sections = [
    ...section("Linux, macOS: curl", posixCommands(places)),
    "",
    "",
    ...section("Windows: PowerShell", powerShellCommands(places)),
  ];
  const isMasked = sections.some((line) => line.includes(MASKED_ACCOUNT));
  return [
    "# Run these where the workload runs, and again from another network. What works there and",
    "# not here is blocked here. Both documents together have to come within 5 seconds.",
    ...(isMasked ? ["# Account ids are masked: put the digits back where the asterisks are."] : []),
    "",
    ...sections,
    "",
  ].join("\n");
}

function placesOf({ issuer, sts, settings }: Facts): Places | undefined {
  const discoveryUrl = issuer?.discoveryUrl;
  if (discoveryUrl === undefined || !URL.canParse(discoveryUrl)) return undefined;
  const { protocol, hostname, port, href } = new URL(discoveryUrl);
  const isTls = protocol === "https:";
  const [endpoint] = sts;
  const find = (wanted: string) => settings.find(({ name }) => name === wanted);
  const setting = (wanted: string) => find(wanted)?.value;
  const arn = setting("roleArn");
  return {
    issuerHost: bareHostname({ hostname }),
    issuerPort: Number(port) || (isTls ? 443 : 80),
    isTls,
    discoveryUrl: href,
    jwksUrl: whole(issuer?.jwksUrl),
    sts:
      endpoint && URL.canParse(endpoint.url)
        ? { url: new URL(endpoint.url).href, host: endpoint.host }
        : undefined,
    role:
      arn === undefined ? undefined : { arn, sessionName: setting("roleSessionName") ?? "doctor" },
    tokenFile: find("token")?.source === "option" ? whole(setting("token")) : undefined,
  };
}

/** Facts are bounded: what was cut is no address any more. */
function whole(text: string | undefined): string | undefined {
  return text?.endsWith("…") ? undefined : text;
}
