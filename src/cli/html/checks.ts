/** The checks of a diagnosis: where the use of a token fails at a glance, then every check in full. */
import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { Finding, Severity } from "../../model/findings.js";
import {
  followsFrom,
  GROUP_TITLES,
  type Group,
  goodNews,
  groupOf,
  groupsOf,
  whyNotChecked,
} from "../doctor/report-words.js";
import { type Markup, markup, NOTHING, remedyMarkup } from "./markup.js";

/** What a mark stands for: a finding, something in order, or nothing that was looked at. */
type Standing = Severity | "in order" | "not checked";

const MARKS: Readonly<Record<Standing, readonly [mark: string, tone: string]>> = {
  fatal: ["✗", "bad"],
  suspect: ["!", "warn"],
  advice: ["!", "note"],
  info: ["·", "quiet"],
  "in order": ["✓", "good"],
  "not checked": ["–", "quiet"],
};

/** A sign and a colour, and for who sees neither the word. */
function severityMark(standing: Standing): Markup {
  const [mark, tone] = MARKS[standing];
  return markup`<span class="mark ${tone}" role="img" aria-label="${standing}">${mark}</span>`;
}

/** The parts of the token's way in one line: where it breaks is seen at once. */
export function wayOfToken(diagnosis: Diagnosis): Markup {
  const news = goodNews(diagnosis);
  const items = groupsOf(diagnosis).map((group) => {
    const standing = standingOf(group, diagnosis, news[group].length > 0);
    return markup`<li>${severityMark(standing)} ${GROUP_TITLES[group]}</li>`;
  });
  return markup`<ol class="way" aria-label="The parts in short">${items}</ol>`;
}

function standingOf(group: Group, { findings }: Diagnosis, hasNews: boolean): Standing {
  const found = findings.filter((finding) => groupOf(finding) === group);
  const worst = (["fatal", "suspect", "advice"] as const).find((severity) =>
    found.some((finding) => finding.severity === severity),
  );
  return worst ?? (hasNews || found.length > 0 ? "in order" : "not checked");
}

/** Everything that was looked at, part by part: what was found, then what is in order. */
export function checks(diagnosis: Diagnosis): Markup {
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

/** The cause is told at the top, and here only named; what it brings about needs no remedy. */
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
