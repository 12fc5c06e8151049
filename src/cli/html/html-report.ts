/**
 * The doctor's report as one page: the verdict, every check, and tables of what was measured. The two
 * drawings are in `timelines.ts`; `page.ts` has the elements of which any page consists.
 */
import type { Diagnosis, IssuerFacts, TlsFacts } from "../../doctor/diagnosis.js";
import { explainCommand } from "../../model/errors.js";
import type { Finding, KeyRow, RequestTiming, Severity } from "../../model/findings.js";
import { isUncacheable, readFreshness } from "../../preflight/freshness.js";
import { formatDuration } from "../../runtime/time-text.js";
import {
  followsFrom,
  GROUP_TITLES,
  type Group,
  goodNews,
  groupOf,
  groupsOf,
  kidOf,
  verdictSentence,
  whyNotChecked,
} from "../doctor/report-words.js";
import {
  dataTable,
  htmlPage,
  joined,
  type Markup,
  markup,
  mono,
  NOTHING,
  remedyMarkup,
} from "./page.js";
import { cacheTimeline, waterfall } from "./timelines.js";

const VERDICTS: Readonly<Record<Diagnosis["verdict"], readonly [mark: string, tone: string]>> = {
  healthy: ["✓", "good"],
  degraded: ["!", "warn"],
  broken: ["✗", "bad"],
};

/** The report as one page that needs nothing but a browser: no network, no script. */
export function htmlReport(diagnosis: Diagnosis): string {
  const { rootCause, verdict } = diagnosis;
  const title = rootCause?.title ?? verdictSentence(diagnosis);
  return htmlPage({
    title: `${verdict}: ${title}`,
    header: verdictCard(diagnosis, title),
    main: sections(diagnosis),
    footer: footer(diagnosis),
  });
}

/** What is wrong, who must change what, and which part fails. */
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
      : markup`<dl class="cause"><dt>Remedy</dt><dd class="remedy">${remedyMarkup(rootCause.remedy)}</dd><dt>Observed</dt><dd>${rootCause.detail}</dd><dt>Finding</dt><dd><code>${rootCause.id}</code>, ${rootCause.severity}</dd><dt>Details</dt><dd><code>${explainCommand(rootCause.id)}</code></dd></dl>
`;
  const subjects = facts.settings.filter(
    ({ name, value }) => value !== undefined && /^(?:issuer|roleArn|region)$/.test(name),
  );
  const about = subjects.map(({ value = "" }) => markup`<li>${mono(value)}</li>`);
  return markup`<div class="verdict ${tone}">
<p class="word"><strong><span aria-hidden="true">${mark} </span>${verdict}</strong>${words}</p>
<h1>${title}</h1>
${cause}${partsInShort(diagnosis)}
${about.length > 0 ? markup`<ul class="about" aria-label="Checked">${about}</ul>` : NOTHING}
</div>`;
}

function sections(diagnosis: Diagnosis): Markup[] {
  const { issuer } = diagnosis.facts;
  const timeline = cacheTimeline(diagnosis);
  const responses = issuer?.requests.length ? [cacheTable(issuer.requests)] : [];
  const caching = timeline === NOTHING ? responses : [timeline, ...responses];
  return [
    section("Checks", [checkList(diagnosis)]),
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

/** Omitted when it is empty. */
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
  return dataTable(
    "The settings in use, and where each one came from.",
    ["Setting", "Value", "From"],
    rows,
  );
}

function footer({ facts }: Diagnosis): Markup {
  const { startedAt, elapsedMs, unfinished } = facts;
  const cut =
    unfinished.length === 0 ? "" : ` Not finished within the time limit: ${unfinished.join(", ")}.`;
  return markup`<p class="quiet">Made by resilient-sts doctor at <time datetime="${startedAt}">${startedAt}</time> in ${formatDuration(elapsedMs)}.${cut} It contains no token, signature or credentials.</p>`;
}

/** What a mark stands for: a finding, something in order, or something that was not checked. */
type Standing = Severity | "in order" | "not checked";

const STANDING_MARKS: Readonly<Record<Standing, readonly [mark: string, tone: string]>> = {
  fatal: ["✗", "bad"],
  suspect: ["!", "warn"],
  advice: ["!", "note"],
  info: ["·", "quiet"],
  "in order": ["✓", "good"],
  "not checked": ["–", "quiet"],
};

/** A sign in a color, and its meaning in words for screen readers. */
function severityMark(standing: Standing): Markup {
  const [mark, tone] = STANDING_MARKS[standing];
  return markup`<span class="mark ${tone}" role="img" aria-label="${standing}">${mark}</span>`;
}

/** All parts in one line, so that the failing one is visible at a glance. */
function partsInShort(diagnosis: Diagnosis): Markup {
  const news = goodNews(diagnosis);
  const items = groupsOf(diagnosis).map((group) => {
    const standing = standingOf(group, diagnosis, news[group].length > 0);
    return markup`<li>${severityMark(standing)} ${GROUP_TITLES[group]}</li>`;
  });
  return markup`<ol class="summary" aria-label="Summary of the checks">${items}</ol>`;
}

function standingOf(group: Group, { findings }: Diagnosis, hasNews: boolean): Standing {
  const found = findings.filter((finding) => groupOf(finding) === group);
  const worst = (["fatal", "suspect", "advice"] as const).find((severity) =>
    found.some((finding) => finding.severity === severity),
  );
  return worst ?? (hasNews || found.length > 0 ? "in order" : "not checked");
}

/** Every check, part by part: findings first, then what is in order. */
function checkList(diagnosis: Diagnosis): Markup {
  const { findings, rootCause } = diagnosis;
  const news = goodNews(diagnosis);
  const parts = groupsOf(diagnosis).map((group) => {
    const found = findings.filter((finding) => groupOf(finding) === group);
    const items = [
      ...found.map((finding) => findingItem(finding, rootCause)),
      ...news[group].map((text) => item("in order", markup`<p>${text}</p>`)),
    ];
    const body =
      items.length > 0
        ? markup`<ul class="checks">${items}</ul>`
        : markup`<p class="quiet">– ${whyNotChecked(diagnosis, group)}</p>`;
    return markup`<div class="part"><h3>${GROUP_TITLES[group]}</h3>
${body}</div>
`;
  });
  return markup`${parts}`;
}

/** The cause is explained at the top and only named here. What follows from it needs no remedy of its own. */
function findingItem(finding: Finding, cause: Finding | null): Markup {
  const { severity, title, detail, remedy, id } = finding;
  const doesFollow = followsFrom(finding, cause);
  const weight = doesFollow ? "follows from the cause" : severity;
  const tag = markup`<span class="quiet">${weight}, <code>${id}</code></span>`;
  if (isSame(finding, cause)) {
    return item(
      severity,
      markup`<p><strong>${title}</strong> ${tag} <span class="quiet">(the cause, see above)</span></p>`,
    );
  }
  const todo = remedy === "" || doesFollow ? NOTHING : markup`<p>→ ${remedyMarkup(remedy)}</p>`;
  return item(
    severity,
    markup`<p><strong>${title}</strong> ${tag}</p><p class="quiet">${detail}</p>${todo}`,
  );
}

function item(standing: Standing, body: Markup): Markup {
  return markup`<li>${severityMark(standing)}${body}</li>
`;
}

function isSame(finding: Finding, cause: Finding | null): boolean {
  return finding.id === cause?.id && finding.detail === cause.detail;
}

/** The keys as STS sees them. */
function keyTable(keys: readonly KeyRow[]): Markup {
  const hasOwn = keys.some(({ matchesToken }) => matchesToken);
  const rows = keys.map((key) => {
    const own = key.matchesToken ? markup` <span class="note">(the token’s key)</span>` : NOTHING;
    return {
      isMarked: key.matchesToken,
      head: markup`${mono(kidOf(key))}${own}`,
      cells: [
        [key.kty, key.alg].filter(Boolean).join(" ") || "–",
        key.bits === undefined ? (key.crv ?? "–") : `${key.bits} bits`,
        key.use ?? "–",
        forSts(key),
      ],
    };
  });
  const caption = `${keys.length} ${keys.length === 1 ? "key" : "keys"} in the JWKS${hasOwn ? "; the token’s key is marked" : ""}.`;
  return dataTable(caption, ["kid", "kty, alg", "Size", "use", "For STS"], rows);
}

function forSts({ usable, severity, problem = "unusable" }: KeyRow): Markup {
  if (usable) return markup`<span class="good">✓ usable</span>`;
  return severity === "suspect"
    ? markup`? ${problem}`
    : markup`<span class="bad">✗ ${problem}</span>`;
}

const SHOWN_FIRST = ["cache-control", "pragma", "age", "expires", "date", "retry-after"];

/** What the responses say about caching. */
function cacheTable(requests: readonly RequestTiming[]): Markup {
  const rows = requests.map(({ document, status, headers }) => {
    const names = Object.keys(headers).toSorted((a, b) => rankOf(a) - rankOf(b));
    const lines = names.map((name) => headerLine(name, headers[name] ?? ""));
    return {
      head: `${document === "jwks" ? "JWKS" : "Discovery"}${status === undefined ? "" : `, ${status}`}`,
      cells: [
        lines.length > 0
          ? markup`${joined(lines, markup`<br>`)}`
          : markup`<span class="quiet">none</span>`,
        status === undefined ? "no response" : keptFor(headers),
      ],
    };
  });
  return dataTable(
    "The caching headers of the responses.",
    ["Document", "Headers", "May be cached"],
    rows,
  );
}

function headerLine(name: string, value: string): Markup {
  const isBad = isUncacheable({ [name]: value });
  const shown = isBad ? markup`<strong class="bad">${value}</strong>` : value;
  return markup`<code>${name}: ${shown}</code>`;
}

function rankOf(name: string): number {
  const rank = SHOWN_FIRST.indexOf(name);
  return rank === -1 ? SHOWN_FIRST.length : rank;
}

function keptFor(headers: Readonly<Record<string, string>>): string {
  const freshness = readFreshness(headers);
  if (freshness.kind === "refused") return `no: ${freshness.words}`;
  if (freshness.kind === "unsaid") return "not specified";
  const { lifetimeSeconds, ageSeconds } = freshness;
  const left = Math.max(0, lifetimeSeconds - ageSeconds);
  return ageSeconds > 0
    ? `${lifetimeSeconds} s, of which ${left} s are left`
    : `${lifetimeSeconds} s`;
}

/** The certificate chain in the order in which the issuer sends it. */
function chainTable({ chain }: TlsFacts): Markup {
  const rows = chain.map(({ subject, issuer, validTo, thumbprint }) => ({
    head: subject,
    cells: [issuer, validTo.slice(0, 10), mono(thumbprint)],
  }));
  const heads = ["Certificate", "Signed by", "Until", "Thumbprint"];
  return dataTable("The issuer’s own certificate comes first.", heads, rows);
}

/** The addresses of the issuer's name. */
function addressTable({ addresses }: IssuerFacts): Markup {
  const rows = addresses.map(({ address, isPublic, connectMs, error }) => {
    const reached =
      connectMs === undefined ? "not tried" : `connects in ${Math.round(connectMs)} ms`;
    return {
      head: mono(address),
      cells: [
        isPublic ? "public" : "private",
        error === undefined ? reached : markup`<span class="bad">✗ ${error}</span>`,
      ],
    };
  });
  return dataTable(
    "The addresses that the issuer’s name resolves to from here.",
    ["Address", "Kind", "From here"],
    rows,
  );
}
