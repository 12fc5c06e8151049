import { quoteForPowerShell as quote } from "../../doctor/shell-quote.js";
import type { Places, Step } from "./places.js";

/** AWS's steps for Windows PowerShell 5.1 and PowerShell 7. */
export function powerShellCommands(places: Places): Step[] {
  const { issuerHost, issuerPort, discoveryUrl, jwksUrl, sts, role } = places;
  const jwks = jwksUrl === undefined ? "$jwks" : quote(jwksUrl);
  const get = (url: string) =>
    `Invoke-WebRequest -UseBasicParsing -TimeoutSec 20 -MaximumRedirection 0 -Uri ${url}`;
  const measure = (url: string) =>
    `1..3 | ForEach-Object { (Measure-Command { ${get(url)} }).TotalSeconds }`;
  const steps: Step[] = [
    {
      title: "Does the issuer answer? Status 200 and JSON, no redirect, no login page.",
      commands: [
        `${get(quote(discoveryUrl))} | Format-List StatusCode, Content`,
        ...(jwksUrl === undefined
          ? [`$jwks = (Invoke-RestMethod -TimeoutSec 20 -Uri ${quote(discoveryUrl)}).jwks_uri`]
          : []),
        `${get(jwks)} | Format-List StatusCode, Content`,
      ],
    },
    {
      title: "Does its name resolve, and does the way lead there?",
      commands: [
        `Resolve-DnsName -Name ${quote(issuerHost)}`,
        `Test-NetConnection -ComputerName ${quote(issuerHost)} -Port ${issuerPort}`,
      ],
    },
    {
      title: "How long does it take, in seconds? Three times each; over 5 in all and STS gives up.",
      commands: [measure(quote(discoveryUrl)), measure(jwks)],
    },
    {
      title: "May STS keep the keys? no-cache or no-store here makes STS ask every time.",
      commands: [
        `(${get(jwks)}).Headers.GetEnumerator() | Where-Object Key -In 'Cache-Control', 'Pragma', 'Age', 'Expires', 'Retry-After'`,
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
  if (role !== undefined) steps.push(assumeStep(sts.url, role));
  return steps;
}

function assumeStep(url: string, role: NonNullable<Places["role"]>): Step {
  return {
    title: "What does STS say? The token goes in the body; the credentials are not printed.",
    commands: [
      "$token = (Get-Content -Raw -LiteralPath $env:AWS_WEB_IDENTITY_TOKEN_FILE).Trim()",
      `$body = @{ Action = 'AssumeRoleWithWebIdentity'; Version = '2011-06-15'; RoleArn = ${quote(role.arn)}; RoleSessionName = ${quote(role.sessionName)}; WebIdentityToken = $token }`,
      `try { (Invoke-WebRequest -UseBasicParsing -TimeoutSec 20 -Method Post -Body $body -Uri ${quote(url)}).StatusCode } catch { if ($_.ErrorDetails) { $_.ErrorDetails.Message } else { $r = $_.Exception.Response; if ($r) { (New-Object IO.StreamReader $r.GetResponseStream()).ReadToEnd() } else { $_.Exception.Message } } }`,
      "Remove-Variable token, body",
    ],
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return Number(port) || (protocol === "https:" ? 443 : 80);
}
