/**
 * AWS's troubleshooting steps for "Couldn't retrieve verification key" with the URLs of this
 * diagnosis, as commands for machines and networks without Node: curl for POSIX shells, and PowerShell.
 */
import { isIP } from "node:net";
import { type Diagnosis, type Facts, MASKED_ACCOUNT } from "../../doctor/diagnosis.js";
import { quoteForPosix, quoteForPowerShell } from "../../runtime/shell-quote.js";
import { bareHostname } from "../../runtime/url-host.js";

/** The addresses that the commands use. */
interface Places {
  readonly issuerHost: string;
  readonly issuerPort: number;
  readonly isTls: boolean;
  readonly discoveryUrl: string;
  /** Absent when the discovery document could not be read from here. */
  readonly jwksUrl: string | undefined;
  readonly sts: { readonly url: string; readonly host: string } | undefined;
  readonly role: { readonly arn: string; readonly sessionName: string } | undefined;
  /** Set if an option names the file; otherwise the commands use AWS_WEB_IDENTITY_TOKEN_FILE. */
  readonly tokenFile: string | undefined;
}

/** One thing to try, with the lines to paste. */
interface Step {
  readonly title: string;
  readonly commands: readonly string[];
}

/** The commands for both kinds of shell, or nothing where no issuer is known. */
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
    "# Run these where the workload runs, and again from another network. If a step works only from the",
    "# other network, something blocks it here. STS must get both documents within 5 seconds in total.",
    ...(isMasked ? ["# Account IDs are masked: replace the asterisks with the digits."] : []),
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

/** Facts have a maximum length. A text that was cut to it is no longer a valid address. */
function whole(text: string | undefined): string | undefined {
  return text?.endsWith("…") ? undefined : text;
}

/** Allows only HTTP and HTTPS, whatever URL a discovery document names. */
const CURL = "curl -gsS -m 20 --proto '=https,http'";
const CURL_TIMES = quoteForPosix(
  "status %{http_code}  dns %{time_namelookup}  connect %{time_connect}  tls %{time_appconnect}  total %{time_total} s\\n",
);
/** Removes all characters that a terminal acts on from a server's response. */
const SAFE_IN_POSIX = "LC_ALL=C tr -cd '\\11\\12\\40-\\176'";

/** AWS's steps for curl. */
function posixCommands(places: Places): Step[] {
  const { issuerHost, issuerPort, discoveryUrl, jwksUrl, sts, role, tokenFile } = places;
  const discovery = quoteForPosix(discoveryUrl);
  const jwks = jwksUrl === undefined ? '"$jwks"' : quoteForPosix(jwksUrl);
  const steps: Step[] = [
    {
      title: "Does the issuer respond? Status 200 and JSON, no redirect, no login page.",
      commands: [
        `${CURL} -i --url ${discovery} | ${SAFE_IN_POSIX}`,
        ...(jwksUrl === undefined ? [findJwks(discovery)] : []),
        `${CURL} -i --url ${jwks} | ${SAFE_IN_POSIX}`,
      ],
    },
    {
      title: "Does its name resolve, and can its host be reached?",
      commands: [
        ...(isIP(issuerHost) === 0
          ? [`getent ahosts ${quoteForPosix(issuerHost)} || nslookup ${quoteForPosix(issuerHost)}`]
          : []),
        `${CURL} -v -o /dev/null --url ${discovery} 2>&1 | grep -iE 'trying|connected|refused|timed|proxy|ssl' | ${SAFE_IN_POSIX}`,
      ],
    },
    ...(places.isTls ? [posixTlsStep(issuerHost, issuerPort)] : []),
    {
      title:
        "How long does it take? Three requests each. Beyond 5 s for both documents, STS times out.",
      commands: [discovery, jwks].map(
        (url) => `for i in 1 2 3; do ${CURL} -o /dev/null -w ${CURL_TIMES} --url ${url}; done`,
      ),
    },
    {
      title: "May STS cache the keys? With no-cache or no-store, STS requests them every time.",
      commands: [
        `${CURL} -o /dev/null -D - --url ${jwks} | grep -iE '^(cache-control|pragma|age|expires|retry-after):' | ${SAFE_IN_POSIX}`,
      ],
    },
  ];
  if (sts === undefined) return steps;
  steps.push({
    title: "Can the regional endpoint of STS be reached? Any status shows that it can.",
    commands: [`${CURL} -o /dev/null -w ${CURL_TIMES} --url ${quoteForPosix(sts.url)}`],
  });
  if (role !== undefined) steps.push(posixAssumeStep(sts.url, role, tokenFile));
  return steps;
}

/** Some servers escape the slashes of a URL, as JSON allows. */
function findJwks(discovery: string): string {
  const pattern = `'s/.*"jwks_uri" *: *"\\([^"]*\\)".*/\\1/p'`;
  return `jwks=$(${CURL} --url ${discovery} | sed -n ${pattern} | tr -d '\\\\')`;
}

function posixTlsStep(host: string, port: number): Step {
  const peer = quoteForPosix(`${host.includes(":") ? `[${host}]` : host}:${port}`);
  const name = isIP(host) === 0 ? ` -servername ${quoteForPosix(host)}` : "";
  return {
    title:
      "Which certificates does it serve? Check the name, the dates, and that the next one signs each.",
    commands: [
      `openssl s_client -connect ${peer}${name} -showcerts </dev/null 2>/dev/null | grep -E 's:|i:|NotAfter|Verif' | ${SAFE_IN_POSIX}`,
    ],
  };
}

function posixAssumeStep(
  url: string,
  role: NonNullable<Places["role"]>,
  tokenFile: string | undefined,
): Step {
  const file =
    tokenFile === undefined ? '"$AWS_WEB_IDENTITY_TOKEN_FILE"' : quoteForPosix(tokenFile);
  return {
    title:
      "How does STS respond? The token goes into the body, and the credentials are not printed.",
    commands: [
      [
        `tr -d '\\r\\n' <${file} |`,
        `${CURL} --url ${quoteForPosix(url)}`,
        "-d Action=AssumeRoleWithWebIdentity -d Version=2011-06-15",
        `--data-urlencode ${quoteForPosix(`RoleArn=${role.arn}`)}`,
        `--data-urlencode ${quoteForPosix(`RoleSessionName=${role.sessionName}`)}`,
        `--data-urlencode WebIdentityToken@- -w ${quoteForPosix("\\nstatus %{http_code}\\n")}`,
        "| sed -E 's#<(SecretAccessKey|SessionToken)>[^<]*#<\\1>hidden#g'",
        `| ${SAFE_IN_POSIX}`,
      ].join(" \\\n  "),
    ],
  };
}

/** Removes all characters that a terminal acts on from a server's response. */
const SAFE_IN_POWERSHELL = "-replace '[^\\x09\\x0A\\x20-\\x7E]', ''";

/**
 * Prints the error and the body of a refusal. PowerShell 7 has already read the body; in 5.1 the
 * command may have to read it, from a type of response that 7 does not have.
 */
const POWERSHELL_REFUSAL =
  "$_.Exception.Message; $r = $_.Exception.Response; if ($_.ErrorDetails) { $_.ErrorDetails.Message } elseif ($r -is [Net.WebResponse]) { (New-Object IO.StreamReader $r.GetResponseStream()).ReadToEnd() }";

/** AWS's steps for Windows PowerShell 5.1 and PowerShell 7. */
function powerShellCommands(places: Places): Step[] {
  const { issuerHost, issuerPort, discoveryUrl, jwksUrl, sts, role, tokenFile } = places;
  const discovery = quoteForPowerShell(discoveryUrl);
  const jwks = jwksUrl === undefined ? "$jwks" : quoteForPowerShell(jwksUrl);
  const steps: Step[] = [
    {
      title: "Enable TLS 1.2, which older versions of Windows do not use by default.",
      commands: [
        "[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12",
      ],
    },
    {
      title: "Does the issuer respond? Status 200 and JSON, no redirect, no login page.",
      commands: [
        powerShellShow(discovery),
        ...(jwksUrl === undefined
          ? [`$jwks = (Invoke-RestMethod -TimeoutSec 20 -Uri ${discovery}).jwks_uri`]
          : []),
        powerShellShow(jwks),
      ],
    },
    {
      title: "Does its name resolve, and can its host be reached?",
      commands: [
        ...(isIP(issuerHost) === 0
          ? [`Resolve-DnsName -Name ${quoteForPowerShell(issuerHost)}`]
          : []),
        `Test-NetConnection -ComputerName ${quoteForPowerShell(issuerHost)} -Port ${issuerPort}`,
      ],
    },
    {
      title:
        "How long does it take, in seconds? Three requests each. Beyond 5 s for both documents, STS times out.",
      commands: [discovery, jwks].map(
        (url) =>
          `1..3 | ForEach-Object { (Measure-Command { ${powerShellGet(url)} }).TotalSeconds }`,
      ),
    },
    {
      title: "May STS cache the keys? With no-cache or no-store, STS requests them every time.",
      commands: [
        `(${powerShellGet(jwks)}).Headers.GetEnumerator() | Where-Object Key -In 'Cache-Control', 'Pragma', 'Age', 'Expires', 'Retry-After' | ForEach-Object { ($_.Key + ': ' + $_.Value) ${SAFE_IN_POWERSHELL} }`,
      ],
    },
  ];
  if (sts === undefined) return steps;
  steps.push({
    title: "Can the regional endpoint of STS be reached? Any status shows that it can.",
    commands: [
      `Test-NetConnection -ComputerName ${quoteForPowerShell(new URL(sts.url).hostname)} -Port ${portOf(sts.url)}`,
      `try { ${powerShellGet(quoteForPowerShell(sts.url))} | Select-Object StatusCode } catch { $_.Exception.Message }`,
    ],
  });
  if (role !== undefined) steps.push(powerShellAssumeStep(sts.url, role, tokenFile));
  return steps;
}

function powerShellGet(url: string): string {
  return `Invoke-WebRequest -UseBasicParsing -TimeoutSec 20 -MaximumRedirection 0 -Uri ${url}`;
}

/** Status, headers and body as text, whatever the content type is. */
function powerShellShow(url: string): string {
  return `(${powerShellGet(url)}).RawContent ${SAFE_IN_POWERSHELL}`;
}

function powerShellAssumeStep(
  url: string,
  role: NonNullable<Places["role"]>,
  tokenFile: string | undefined,
): Step {
  const file =
    tokenFile === undefined ? "$env:AWS_WEB_IDENTITY_TOKEN_FILE" : quoteForPowerShell(tokenFile);
  return {
    title:
      "How does STS respond? The token goes into the body, and the credentials are not printed.",
    commands: [
      `$token = (Get-Content -Raw -LiteralPath ${file}).Trim()`,
      `$body = @{ Action = 'AssumeRoleWithWebIdentity'; Version = '2011-06-15'; RoleArn = ${quoteForPowerShell(role.arn)}; RoleSessionName = ${quoteForPowerShell(role.sessionName)}; WebIdentityToken = $token }`,
      `& { try { (Invoke-WebRequest -UseBasicParsing -TimeoutSec 20 -Method Post -Body $body -Uri ${quoteForPowerShell(url)}).StatusCode } catch { ${POWERSHELL_REFUSAL} } } | ForEach-Object { [string]$_ ${SAFE_IN_POWERSHELL} }`,
      "Remove-Variable 'token', 'body'",
    ],
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return Number(port) || (protocol === "https:" ? 443 : 80);
}
