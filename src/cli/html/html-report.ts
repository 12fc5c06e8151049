import { createHash } from "node:crypto";
import type { Diagnosis } from "../../doctor/diagnosis.js";
import { explainCommand } from "../../model/errors.js";
import { formatDuration } from "../../runtime/time-text.js";
import { verdictSentence } from "../doctor/report-words.js";
import { cacheTimeline } from "./cache-timeline.js";
import { checks, wayOfToken } from "./checks.js";

import { addressTable, cacheTable, chainTable, keyTable } from "./issuer-tables.js";
import { dataTable, type Markup, markup, mono, NOTHING, remedyMarkup, trusted } from "./markup.js";
import { PAGE_STYLE } from "./page-style.js";

import { waterfall } from "./waterfall.js";

const VERDICTS: Readonly<Record<Diagnosis["verdict"], readonly [mark: string, tone: string]>> = {
  healthy: ["✓", "good"],
  degraded: ["!", "warn"],
  broken: ["✗", "bad"],
};

/** The report as one page that needs nothing but a browser: no network, no script. */
export function htmlReport(diagnosis: Diagnosis): string {
  const { rootCause, verdict } = diagnosis;
  const styleHash = createHash("sha256").update(PAGE_STYLE).digest("base64");
  const title = rootCause?.title ?? verdictSentence(diagnosis);
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${trusted(styleHash)}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${`${verdict}: ${title}`}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<header>
${verdictCard(diagnosis, title)}
</header>
<main>
${sections(diagnosis)}</main>
<footer>${footer(diagnosis)}</footer>
</body>
</html>
`;
  return page.toString();
}

/** What is wrong, who mends it how, and where on the token's way. */
function verdictCard(diagnosis: Diagnosis, title: string): Markup {
  const { rootCause, verdict, facts } = diagnosis;
  const [mark, tone] = VERDICTS[verdict];
  const words =
    rootCause === null
      ? NOTHING
      : markup` <span class="meaning">${verdictSentence(diagnosis)}</span>`;
  const cause =
    rootCause === null
      ? NOTHING
      : markup`<dl class="cause"><dt>Remedy</dt><dd class="remedy">${remedyMarkup(rootCause.remedy)}</dd><dt>Seen</dt><dd>${rootCause.detail}</dd><dt>Finding</dt><dd><code>${rootCause.id}</code>, ${rootCause.severity}</dd><dt>Details</dt><dd><code>${explainCommand(rootCause.id)}</code></dd></dl>
`;
  const subjects = facts.settings.filter(
    ({ name, value }) => value !== undefined && /^(?:issuer|roleArn|region)$/.test(name),
  );
  const about = subjects.map(({ value = "" }) => markup`<li>${mono(value)}</li>`);
  return markup`<div class="verdict ${tone}">
<p class="word"><strong><span aria-hidden="true">${mark} </span>${verdict}</strong>${words}</p>
<h1>${title}</h1>
${cause}${wayOfToken(diagnosis)}
${about.length > 0 ? markup`<ul class="about" aria-label="Looked at">${about}</ul>` : NOTHING}
</div>`;
}

function sections(diagnosis: Diagnosis): Markup[] {
  const { issuer } = diagnosis.facts;
  const timeline = cacheTimeline(diagnosis);
  const answers = issuer?.requests.length ? [cacheTable(issuer.requests)] : [];
  const caching = timeline === NOTHING ? answers : [timeline, ...answers];
  return [
    section("Checks", [checks(diagnosis)]),
    section("Requests", [waterfall(diagnosis.timings)]),
    section("Keys of the issuer", issuer?.keys?.length ? [keyTable(issuer.keys)] : []),
    section("Cache timeline", caching),
    section("Addresses of the issuer", issuer?.addresses.length ? [addressTable(issuer)] : []),
    section(
      "Certificates of the issuer",
      issuer?.tls?.chain.length ? [chainTable(issuer.tls)] : [],
    ),
    section("Settings", [settings(diagnosis)]),
  ];
}

/** Left out when there is nothing in it. */
function section(heading: string, body: readonly Markup[]): Markup {
  if (body.length === 0) return NOTHING;
  return markup`<section><h2>${heading}</h2>
${body}
</section>
`;
}

function settings({ facts }: Diagnosis): Markup {
  const rows = facts.settings.map(({ name, value, source }) => {
    // The page describes the token and never shows it.
    const absent = name === "token" && source !== "none" ? "given, not shown" : "–";
    return { head: name, cells: [value === undefined ? absent : mono(value), source] };
  });
  return dataTable("What was in use, and where it came from.", ["Setting", "Value", "From"], rows);
}

function footer({ facts }: Diagnosis): Markup {
  const { startedAt, elapsedMs, unfinished } = facts;
  const cut =
    unfinished.length === 0 ? "" : ` Cut off when the time was up: ${unfinished.join(", ")}.`;
  return markup`<p class="quiet">Made by resilient-sts doctor at <time datetime="${startedAt}">${startedAt}</time> in ${formatDuration(elapsedMs)}.${cut} It holds no token, signature or credentials.</p>`;
}
