import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** What a token hands on to the session. */
export interface SessionAttributes {
  readonly tags: Readonly<Record<string, string>>;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
}

const TAGS = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY = "https://aws.amazon.com/source_identity";

/**
 * Reads session tags in both forms that AWS documents, nested and flattened, and the source
 * identity.
 *
 * @throws StsRefusal for tags of another shape; the words STS has for that are not known.
 */
export function readSessionAttributes(
  claims: Readonly<Record<string, unknown>>,
): SessionAttributes {
  const nested = asObject(claims[TAGS] ?? {});
  const tags: [string, string][] = [];
  for (const [key, values] of Object.entries(asObject(nested.principal_tags ?? {}))) {
    const [value, ...more] = asStrings(values);
    if (value === undefined || more.length > 0) throw new StsRefusal(WIRE_ERRORS.notValidated);
    tags.push([key, value]);
  }
  const prefix = `${TAGS}/principal_tags/`;
  for (const [claim, value] of Object.entries(claims)) {
    if (claim.startsWith(prefix)) tags.push([claim.slice(prefix.length), asString(value)]);
  }
  const transitive = nested.transitive_tag_keys ?? claims[`${TAGS}/transitive_tag_keys`] ?? [];
  const sourceIdentity = claims[SOURCE_IDENTITY];
  return {
    tags: Object.fromEntries(tags),
    transitiveTagKeys: asStrings(transitive),
    sourceIdentity: sourceIdentity === undefined ? undefined : asString(sourceIdentity),
  };
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new StsRefusal(WIRE_ERRORS.notValidated);
}

function asStrings(value: unknown): string[] {
  if (!Array.isArray(value)) throw new StsRefusal(WIRE_ERRORS.notValidated);
  return value.map(asString);
}

function asString(value: unknown): string {
  if (typeof value === "string") return value;
  throw new StsRefusal(WIRE_ERRORS.notValidated);
}
