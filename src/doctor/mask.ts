import { redact, replaceSecrets } from "../runtime/redact.js";
import type { Diagnosis } from "./diagnosis.js";

interface MaskOptions {
  readonly token: string | undefined;
  /** Masks account ids and the subject too. */
  readonly isRedacted: boolean;
  readonly subject: string | undefined;
}

/** Twelve digits of their own. The last part of a UUID may be twelve digits too. */
const ACCOUNT = /(?<!\w)(?<!-[0-9a-f]{4}-)\d{12}(?!\w)/g;
/** Replaces an account id. */
export const MASKED_ACCOUNT = "************";
/** A shorter subject is an ordinary word. It is not replaced in texts. */
const MIN_SUBJECT = 6;

/** Removes the token from every text of the diagnosis, whichever party repeated it. */
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

/** Cleans every text of plain data, and leaves out what is undefined, as JSON does. */
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
