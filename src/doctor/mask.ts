import { redact, replaceSecrets } from "../runtime/redact.js";
import type { Diagnosis } from "./diagnosis.js";

interface MaskOptions {
  readonly token: string | undefined;
  /** Masks account ids and the subject too. */
  readonly isRedacted: boolean;
  readonly subject: string | undefined;
}

/** Wherever it stands by itself; the last part of a UUID may look like one. */
const ACCOUNT = /(?<!\w)(?<!-[0-9a-f]{4}-)\d{12}(?!\w)/g;
/** What stands in the place of one. */
export const MASKED_ACCOUNT = "************";
/** A shorter subject is a word like any other; it is not told by itself. */
const MIN_SUBJECT = 6;

/** The diagnosis without the token in any text, whoever repeated it. */
export function mask(
  diagnosis: Diagnosis,
  { token = "", isRedacted, subject = "" }: MaskOptions,
): Diagnosis {
  const secrets = token === "" ? [] : [token];
  const subjects = isRedacted && subject.length >= MIN_SUBJECT ? [subject] : [];
  const clean = (text: string) => {
    const safe = redact(text, secrets);
    if (!isRedacted) return safe;
    const anonymous = safe.replace(ACCOUNT, MASKED_ACCOUNT);
    return replaceSecrets(anonymous, subjects, "[subject]");
  };
  return walk(diagnosis, clean) as Diagnosis;
}

/** Plain data, with every text cleaned; what is undefined is left out, as JSON does. */
function walk(value: unknown, clean: (text: string) => string): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map((each) => walk(each, clean));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) =>
      each === undefined ? [] : [[name, walk(each, clean)]],
    ),
  );
}
