import { isIP } from "node:net";
import { quoteForPosix as quote } from "../../runtime/shell-quote.js";

/** What the commands are about. */
export interface Places {
  readonly issuerHost: string;
  readonly issuerPort: number;
  readonly isTls: boolean;
  readonly discoveryUrl: string;
  /** Absent when the discovery document could not be read from here. */
  readonly jwksUrl: string | undefined;
  readonly sts: { readonly url: string; readonly host: string } | undefined;
  readonly role: { readonly arn: string; readonly sessionName: string } | undefined;
  /** Set where an option names it; otherwise AWS_WEB_IDENTITY_TOKEN_FILE does. */
  readonly tokenFile: string | undefined;
}

/** One thing to try, with the lines to paste. */
export interface Step {
  readonly title: string;
  readonly commands: readonly string[];
}

/** Only HTTP and HTTPS, whatever URL a discovery document names. */
const CURL = "curl -gsS -m 20 --proto '=https,http'";
const TIMES = quote(
  "status %{http_code}  dns %{time_namelookup}  connect %{time_connect}  tls %{time_appconnect}  total %{time_total} s\\n",
);
/** Removes from a server's answer everything that a terminal obeys. */
const SHOWN = "LC_ALL=C tr -cd '\\11\\12\\40-\\176'";

/** AWS's steps for curl. */
export function posixCommands(places: Places): Step[] {
  const { issuerHost, issuerPort, discoveryUrl, jwksUrl, sts, role, tokenFile } = places;
  const discovery = quote(discoveryUrl);
  const jwks = jwksUrl === undefined ? '"$jwks"' : quote(jwksUrl);
  const steps: Step[] = [
    {
      title: "Does the issuer answer? Status 200 and JSON, no redirect, no login page.",
      commands: [
        `${CURL} -i --url ${discovery} | ${SHOWN}`,
        ...(jwksUrl === undefined ? [findJwks(discovery)] : []),
        `${CURL} -i --url ${jwks} | ${SHOWN}`,
      ],
    },
    {
      title: "Does its name resolve, and does the way lead there?",
      commands: [
        ...(isIP(issuerHost) === 0
          ? [`getent ahosts ${quote(issuerHost)} || nslookup ${quote(issuerHost)}`]
          : []),
        `${CURL} -v -o /dev/null --url ${discovery} 2>&1 | grep -iE 'trying|connected|refused|timed|proxy|ssl' | ${SHOWN}`,
      ],
    },
    ...(places.isTls ? [tlsStep(issuerHost, issuerPort)] : []),
    {
      title: "How long does it take? Three times each. Over 5 s in all, and STS gives up.",
      commands: [discovery, jwks].map(
        (url) => `for i in 1 2 3; do ${CURL} -o /dev/null -w ${TIMES} --url ${url}; done`,
      ),
    },
    {
      title: "May STS keep the keys? no-cache or no-store here makes STS ask every time.",
      commands: [
        `${CURL} -o /dev/null -D - --url ${jwks} | grep -iE '^(cache-control|pragma|age|expires|retry-after):' | ${SHOWN}`,
      ],
    },
  ];
  if (sts === undefined) return steps;
  steps.push({
    title: "Is STS reached, by its regional endpoint? Any status is an answer.",
    commands: [`${CURL} -o /dev/null -w ${TIMES} --url ${quote(sts.url)}`],
  });
  if (role !== undefined) steps.push(assumeStep(sts.url, role, tokenFile));
  return steps;
}

/** Some servers escape the slashes of a URL, as JSON allows. */
function findJwks(discovery: string): string {
  const pattern = `'s/.*"jwks_uri" *: *"\\([^"]*\\)".*/\\1/p'`;
  return `jwks=$(${CURL} --url ${discovery} | sed -n ${pattern} | tr -d '\\\\')`;
}

function tlsStep(host: string, port: number): Step {
  const peer = quote(`${host.includes(":") ? `[${host}]` : host}:${port}`);
  const name = isIP(host) === 0 ? ` -servername ${quote(host)}` : "";
  return {
    title: "Which certificates does it serve? Own name, not expired, each signed by the next.",
    commands: [
      `openssl s_client -connect ${peer}${name} -showcerts </dev/null 2>/dev/null | grep -E 's:|i:|NotAfter|Verif' | ${SHOWN}`,
    ],
  };
}

function assumeStep(
  url: string,
  role: NonNullable<Places["role"]>,
  tokenFile: string | undefined,
): Step {
  const file = tokenFile === undefined ? '"$AWS_WEB_IDENTITY_TOKEN_FILE"' : quote(tokenFile);
  return {
    title: "What does STS say? The token goes in the body, the credentials are not printed.",
    commands: [
      [
        `tr -d '\\r\\n' <${file} |`,
        `${CURL} --url ${quote(url)}`,
        "-d Action=AssumeRoleWithWebIdentity -d Version=2011-06-15",
        `--data-urlencode ${quote(`RoleArn=${role.arn}`)}`,
        `--data-urlencode ${quote(`RoleSessionName=${role.sessionName}`)}`,
        `--data-urlencode WebIdentityToken@- -w ${quote("\\nstatus %{http_code}\\n")}`,
        "| sed -E 's#<(SecretAccessKey|SessionToken)>[^<]*#<\\1>hidden#g'",
        `| ${SHOWN}`,
      ].join(" \\\n  "),
    ],
  };
}
