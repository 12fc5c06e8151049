import { isIP } from "node:net";
import { quoteForPowerShell as quote } from "../../runtime/shell-quote.js";
import type { Places, Step } from "./posix-commands.js";

/** Removes from a server's answer everything that a terminal obeys. */
const SHOWN = "-replace '[^\\x09\\x0A\\x20-\\x7E]', ''";

/**
 * The status, and the body of a refusal: PowerShell 7 has read it; in 5.1 it may be left to read,
 * from a kind of answer that 7 does not have.
 */
const REFUSAL =
  "$_.Exception.Message; $r = $_.Exception.Response; if ($_.ErrorDetails) { $_.ErrorDetails.Message } elseif ($r -is [Net.WebResponse]) { (New-Object IO.StreamReader $r.GetResponseStream()).ReadToEnd() }";

/** AWS's steps for Windows PowerShell 5.1 and PowerShell 7. */
export function powerShellCommands(places: Places): Step[] {
  const { issuerHost, issuerPort, discoveryUrl, jwksUrl, sts, role, tokenFile } = places;
  const discovery = quote(discoveryUrl);
  const jwks = jwksUrl === undefined ? "$jwks" : quote(jwksUrl);
  const steps: Step[] = [
    {
      title: "Speak TLS 1.2: older Windows does not by itself.",
      commands: [
        "[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12",
      ],
    },
    {
      title: "Does the issuer answer? Status 200 and JSON, no redirect, no login page.",
      commands: [
        show(discovery),
        ...(jwksUrl === undefined
          ? [`$jwks = (Invoke-RestMethod -TimeoutSec 20 -Uri ${discovery}).jwks_uri`]
          : []),
        show(jwks),
      ],
    },
    {
      title: "Does its name resolve, and does the way lead there?",
      commands: [
        ...(isIP(issuerHost) === 0 ? [`Resolve-DnsName -Name ${quote(issuerHost)}`] : []),
        `Test-NetConnection -ComputerName ${quote(issuerHost)} -Port ${issuerPort}`,
      ],
    },
    {
      title:
        "How long does it take, in seconds? Three times each. Over 5 in all, and STS gives up.",
      commands: [discovery, jwks].map(
        (url) => `1..3 | ForEach-Object { (Measure-Command { ${get(url)} }).TotalSeconds }`,
      ),
    },
    {
      title: "May STS keep the keys? no-cache or no-store here makes STS ask every time.",
      commands: [
        `(${get(jwks)}).Headers.GetEnumerator() | Where-Object Key -In 'Cache-Control', 'Pragma', 'Age', 'Expires', 'Retry-After' | ForEach-Object { ($_.Key + ': ' + $_.Value) ${SHOWN} }`,
      ],
    },
  ];
  if (sts === undefined) return steps;
  steps.push({
    title: "Is STS reached, by its regional endpoint? Any status is an answer.",
    commands: [
      `Test-NetConnection -ComputerName ${quote(new URL(sts.url).hostname)} -Port ${portOf(sts.url)}`,
      `try { ${get(quote(sts.url))} | Select-Object StatusCode } catch { $_.Exception.Message }`,
    ],
  });
  if (role !== undefined) steps.push(assumeStep(sts.url, role, tokenFile));
  return steps;
}

function get(url: string): string {
  return `Invoke-WebRequest -UseBasicParsing -TimeoutSec 20 -MaximumRedirection 0 -Uri ${url}`;
}

/** Status, headers and body as text, whatever the content type is. */
function show(url: string): string {
  return `(${get(url)}).RawContent ${SHOWN}`;
}

function assumeStep(
  url: string,
  role: NonNullable<Places["role"]>,
  tokenFile: string | undefined,
): Step {
  const file = tokenFile === undefined ? "$env:AWS_WEB_IDENTITY_TOKEN_FILE" : quote(tokenFile);
  return {
    title: "What does STS say? The token goes in the body, the credentials are not printed.",
    commands: [
      `$token = (Get-Content -Raw -LiteralPath ${file}).Trim()`,
      `$body = @{ Action = 'AssumeRoleWithWebIdentity'; Version = '2011-06-15'; RoleArn = ${quote(role.arn)}; RoleSessionName = ${quote(role.sessionName)}; WebIdentityToken = $token }`,
      `& { try { (Invoke-WebRequest -UseBasicParsing -TimeoutSec 20 -Method Post -Body $body -Uri ${quote(url)}).StatusCode } catch { ${REFUSAL} } } | ForEach-Object { [string]$_ ${SHOWN} }`,
      "Remove-Variable 'token', 'body'",
    ],
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return Number(port) || (protocol === "https:" ? 443 : 80);
}
