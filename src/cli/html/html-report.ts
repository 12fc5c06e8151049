import { createHash } from "node:crypto";
import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { Finding, Severity } from "../../findings.js";
import { GROUP_TITLES, GROUPS, groupOf } from "../doctor/finding-group.js";
import { goodNews } from "../doctor/good-news.js";
import { VERDICT_WORDS } from "../doctor/verdict-words.js";
import { formatDuration } from "../duration.js";
import { escapeHtml } from "./escape-html.js";
import { addressTable, cacheTable, chainTable, keyTable, table } from "./issuer-tables.js";
import { PAGE_STYLE } from "./page-style.js";
import { waterfall } from "./waterfall.js";

const TONES: Readonly<Record<Diagnosis["verdict"], string>> = {
  healthy: "good",
  degraded: "warn",
  broken: "bad",
};

const MARKS: Readonly<Record<Severity, readonly [mark: string, tone: string]>> = {
  fatal: ["✗", "bad"],
  suspect: ["!", "warn"],
  advice: ["!", "note"],
  info: ["·", "quiet"],
};

/** The report as one page that needs nothing but a browser: no network, no script. */
export function htmlReport(diagnosis: Diagnosis): string {
  const { facts, rootCause, verdict } = diagnosis;
  const { issuer } = facts;
  const styleHash = createHash("sha256").update(PAGE_STYLE).digest("base64");
  const title = rootCause?.title ?? VERDICT_WORDS[verdict];
  const section = (heading: string, body: string) =>
    `<section><h2>${escapeHtml(heading)}</h2>\n${body}\n</section>`;
  const sections = [
    section("Checks", checks(diagnosis)),
    section("Requests", waterfall(diagnosis.timings)),
    ...(issuer?.keys?.length ? [section("Keys of the issuer", keyTable(issuer.keys))] : []),
    ...(issuer?.requests.length ? [section("Caching", cacheTable(issuer.requests))] : []),
    ...(issuer?.addresses.length ? [section("Addresses of the issuer", addressTable(issuer))] : []),
    ...(issuer?.tls?.chain.length
      ? [section("Certificates of the issuer", chainTable(issuer.tls))]
      : []),
    section("Settings", settings(diagnosis)),
  ];
  const cut =
    facts.unfinished.length === 0
      ? ""
      : ` Cut off when the time was up: ${facts.unfinished.join(", ")}.`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(`${verdict}: ${title}`)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<div class="verdict ${TONES[verdict]}">
<p class="word">${verdict}</p>
<h1>${escapeHtml(title)}</h1>
${rootCause === null ? "" : causeText(rootCause)}
</div>
</header>
<main>
${sections.join("\n")}
</main>
<footer><p class="quiet">Made by resilient-sts doctor at <time datetime="${escapeHtml(facts.startedAt)}">${escapeHtml(
    facts.startedAt,
  )}</time> in ${escapeHtml(formatDuration(facts.elapsedMs))}.${escapeHtml(cut)} It holds no token, signature or credentials.</p></footer>
</body>
</html>
`;
}

function causeText({ detail, remedy, id, severity }: Finding): string {
  return `<dl class="facts"><dt>Seen</dt><dd>${escapeHtml(detail)}</dd><dt>Remedy</dt><dd>${escapeHtml(
    remedy,
  )}</dd><dt>Finding</dt><dd><code>${escapeHtml(id)}</code>, ${severity}</dd></dl>`;
}

function checks(diagnosis: Diagnosis): string {
  const news = goodNews(diagnosis);
  return GROUPS.map((group) => {
    const bad = diagnosis.findings.filter((one) => groupOf(one) === group).map(findingItem);
    const good = news[group].map((text) =>
      item("✓", "good", "In order", `<p>${escapeHtml(text)}</p>`),
    );
    const items = [...bad, ...good];
    const body =
      items.length > 0
        ? `<ul class="checks">${items.join("\n")}</ul>`
        : '<p class="quiet">– not looked at</p>';
    return `<h3>${escapeHtml(GROUP_TITLES[group])}</h3>\n${body}`;
  }).join("\n");
}

function findingItem({ severity, title, detail, remedy, id }: Finding): string {
  const [mark, tone] = MARKS[severity];
  const todo = remedy === "" ? "" : `<p>→ ${escapeHtml(remedy)}</p>`;
  const body = `<p><strong>${escapeHtml(title)}</strong> <span class="quiet">${severity}, <code>${escapeHtml(
    id,
  )}</code></span></p><p class="quiet">${escapeHtml(detail)}</p>${todo}`;
  return item(mark, tone, severity, body);
}

function item(mark: string, tone: string, words: string, body: string): string {
  return `<li><span class="mark ${tone}" role="img" aria-label="${escapeHtml(words)}">${mark}</span>${body}</li>`;
}

function settings({ facts }: Diagnosis): string {
  const rows = facts.settings.map(
    ({ name, value, source }) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td class="mono">${escapeHtml(value ?? "–")}</td><td>${escapeHtml(source)}</td></tr>`,
  );
  return table("What was in use, and where it came from.", ["Setting", "Value", "From"], rows);
}
