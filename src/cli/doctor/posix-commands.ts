import { quoteForPosix as quote } from "../../doctor/shell-quote.js";
import type { Places, Step } from "./places.js";

const TIMES = quote(
  "status %{http_code}  dns %{time_namelookup}  connect %{time_connect}  tls %{time_appconnect}  total %{time_total} s\\n",
);

/** AWS's steps for curl. */
export function posixCommands(places: Places): Step[] {
  const { issuerHost, issuerPort, discoveryUrl, jwksUrl, sts, role } = places;
  const jwks = jwksUrl === undefined ? '"$jwks"' : quote(jwksUrl);
  const findJwks =
    jwksUrl === undefined
      ? [
          `jwks=$(curl -gsS -m 20 --url ${quote(discoveryUrl)} | sed -n 's/.*"jwks_uri" *: *"\\([^"]*\\)".*/\\1/p')`,
        ]
      : [];
  const steps: Step[] = [
    {
      title: "Does the issuer answer? Status 200 and JSON, no redirect, no login page.",
      commands: [
        `curl -gsS -m 20 -i --url ${quote(discoveryUrl)}`,
        ...findJwks,
        `curl -gsS -m 20 -i --url ${jwks}`,
      ],
    },
    {
      title: "Does its name resolve, and does the way lead there?",
      commands: [
        `getent ahosts ${quote(issuerHost)} || nslookup ${quote(issuerHost)}`,
        `curl -gsSv -m 20 -o /dev/null --url ${quote(discoveryUrl)} 2>&1 | grep -iE 'trying|connected|refused|timed|proxy|ssl'`,
      ],
    },
    ...(places.isTls ? [tlsStep(issuerHost, issuerPort)] : []),
    {
      title: "How long does it take? Three times each; over 5 s in all and STS gives up.",
      commands: [
        `for i in 1 2 3; do curl -gsS -m 20 -o /dev/null -w ${TIMES} --url ${quote(discoveryUrl)}; done`,
        `for i in 1 2 3; do curl -gsS -m 20 -o /dev/null -w ${TIMES} --url ${jwks}; done`,
      ],
    },
    {
      title: "May STS keep the keys? no-cache or no-store here makes STS ask every time.",
      commands: [
        `curl -gsS -m 20 -o /dev/null -D - --url ${jwks} | grep -iE '^(cache-control|pragma|age|expires|retry-after):'`,
      ],
    },
  ];
  if (sts === undefined) return steps;
  steps.push({
    title: "Is STS reached, by its regional endpoint? Any status is an answer.",
    commands: [`curl -gsS -m 20 -o /dev/null -w ${TIMES} --url ${quote(sts.url)}`],
  });
  if (role !== undefined) steps.push(assumeStep(sts.url, role));
  return steps;
}

function tlsStep(host: string, port: number): Step {
  const peer = quote(`${host.includes(":") ? `[${host}]` : host}:${port}`);
  return {
    title: "Which certificates does it serve? Own name, not expired, each signed by the next.",
    commands: [
      `openssl s_client -connect ${peer} -servername ${quote(host)} -showcerts </dev/null 2>/dev/null | grep -E 's:|i:|NotAfter|Verif'`,
    ],
  };
}

function assumeStep(url: string, role: NonNullable<Places["role"]>): Step {
  return {
    title: "What does STS say? The token goes in the body; the credentials are not printed.",
    commands: [
      [
        "tr -d '\\r\\n' <\"$AWS_WEB_IDENTITY_TOKEN_FILE\" |",
        `curl -gsS -m 20 --url ${quote(url)}`,
        "-d Action=AssumeRoleWithWebIdentity -d Version=2011-06-15",
        `--data-urlencode ${quote(`RoleArn=${role.arn}`)}`,
        `--data-urlencode ${quote(`RoleSessionName=${role.sessionName}`)}`,
        "--data-urlencode WebIdentityToken@-",
        "| sed -E 's#<(SecretAccessKey|SessionToken)>[^<]*#<\\1>hidden#g'",
      ].join(" \\\n  "),
    ],
  };
}
