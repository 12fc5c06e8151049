import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { Finding } from "../../model/findings.js";
import { GROUP_TITLES, GROUPS, type Group, groupOf } from "../doctor/finding-group.js";
import { followsFrom } from "../doctor/follows-from.js";
import { goodNews } from "../doctor/good-news.js";
import { type Markup, markup, NOTHING } from "./markup.js";
import { remedyMarkup } from "./remedy.js";
import { type Standing, severityMark } from "./severity-mark.js";

/** The parts of the token's way in one line: where it breaks is seen at once. */
export function wayOfToken(diagnosis: Diagnosis): Markup {
  const news = goodNews(diagnosis);
  const items = GROUPS.map((group) => {
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
  return worst ?? (hasNews || found.length > 0 ? "in order" : "not looked at");
}

/** Everything that was looked at, part by part: what was found, then what is in order. */
export function checks(diagnosis: Diagnosis): Markup {
  const { findings, rootCause } = diagnosis;
  const news = goodNews(diagnosis);
  const parts = GROUPS.map((group) => {
    const found = findings.filter((finding) => groupOf(finding) === group);
    const items = [
      ...found.map((finding) => findingItem(finding, rootCause)),
      ...news[group].map((text) => item("in order", markup`<p>${text}</p>`)),
    ];
    const body =
      items.length > 0
        ? markup`<ul class="checks">${items}</ul>`
        : markup`<p class="quiet">– not looked at</p>`;
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
