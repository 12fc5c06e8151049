import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rememberSecret } from "../../src/runtime/known-secrets.js";
import { redact, safeCause, safeText } from "../../src/runtime/redact.js";
import { partIn, piecesOf, SPELLINGS } from "../support/spellings.js";

/** Opaque, and without a shape by which it would be found. */
const opaque = () => randomBytes(24).toString("base64url").replace(/[-_]/g, "x");
const isShown = (secret: string) => safeText(`before ${secret} after`).includes(secret);

describe("a given secret", () => {
  test.each<[string, readonly string[], string]>([
    ["an empty secret takes nothing out", [""], "some words"],
    ["a short secret is taken out as it is written", ["words"], "some [redacted]"],
    ["no secret, and the text is whole", [], "some words"],
  ])("%s", (_, secrets, expected) => {
    expect(redact("some words", secrets)).toBe(expected);
  });

  test("a secret of seven characters is found as it is written alone, one of eight in every case", () => {
    expect(redact("ABCDEFG abcdefg", ["abcdefg"])).toBe("ABCDEFG [redacted]");
    expect(redact("%41BCDEFGH abcdefgh", ["abcdefgh"])).toBe("[redacted] [redacted]");
  });

  test("sixteen characters of a longer secret in a row are taken out, fifteen stay", () => {
    const secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (let at = 0; at + 16 <= secret.length; at += 1) {
      expect(redact(`<${secret.slice(at, at + 16)}>`, [secret])).toBe("<[redacted]>");
      expect(redact(`<${secret.slice(at, at + 15)}>`, [secret])).not.toContain("[redacted]");
    }
  });

  test("has fewer than 16 characters: 15 of them in any case are taken out, 14 stay", () => {
    const secret = "0123456789abcde";
    expect(redact(`<${secret.toUpperCase()}>`, [secret])).toBe("<[redacted]>");
    expect(redact(`<${secret.slice(1)}>`, [secret])).toBe(`<${secret.slice(1)}>`);
  });

  test("of any length leaves no sixteen characters in a row, also beside other secrets", () => {
    const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST";
    const others = ["another-secret-of-30-letters-1", "another+secret+of+30+letters+2"];
    for (let length = 16; length <= 40; length += 1) {
      const secret = letters.slice(0, length);
      for (let at = 0; at + 16 <= length; at += 1) {
        const part = secret.slice(at, at + 16);
        expect(redact(part, [...others, secret])).toBe("[redacted]");
        expect(redact(`<${part}>`, [secret, ...others])).toBe("<[redacted]>");
      }
    }
  });

  test("is left where fifteen of its characters begin or end the text", () => {
    const secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (const part of [secret.slice(0, 15), secret.slice(-15)]) {
      expect(redact(part, [secret])).toBe(part);
    }
  });

  test("that repeats itself is found by the part that goes on as the text does", () => {
    const secret = "samplexyz-------samplexyzTAIL1234567";
    expect(redact("<samplexyzTAIL123>", [secret])).toBe("<[redacted]>");
    expect(redact("<samplexyz------->", [secret])).toBe("<[redacted]>");
    expect(redact("<samplexyz-------TAIL>", [secret])).toBe("<[redacted]TAIL>");
  });

  test("that begins within another one is taken out to its end", () => {
    const [one, two] = ["0123456789abcdefSHARED12", "SHARED12ghijklmnop"];
    const text = `<${one}${two.slice(8)}>`.toUpperCase();
    expect(redact(text, [one, two])).toBe("<[redacted]>");
    expect(redact(`${text} ${text}`, [one, two])).toBe("<[redacted]> <[redacted]>");
  });

  test.each(["abcd=efgh&ijkl;mnop%qrst", "ab=cd&ef;gh%ij"])(
    "%s is taken out with the marks of escapes in it, in any case",
    (secret) => {
      const text = (written: string) => `a=b <${written}> c=d`;
      expect(redact(text(secret), [secret])).toBe(text("[redacted]"));
      expect(redact(text(secret.toUpperCase()), [secret])).toBe(text("[redacted]"));
      expect(redact(text(secret.replace(/[=&;%]/g, "")), [secret])).toBe(text("[redacted]"));
    },
  );

  test.each(["base64", "base64url"] as const)(
    "is taken out of %s, all characters that it decides alone",
    (encoding) => {
      for (const secret of ["a?b>c~dé", "a?b>c~dé and more of it: a?b>c~dé"]) {
        const bytes = Buffer.from(secret);
        for (const before of ["", "1", "22", "333", "4444", "55555"]) {
          const text = Buffer.from(`${before}${secret}!!`).toString(encoding);
          const start = Math.ceil((before.length * 8) / 6);
          const end = Math.floor(((before.length + bytes.length) * 8) / 6);
          expect(redact(text, [secret])).toBe(
            `${text.slice(0, start)}[redacted]${text.slice(end)}`,
          );
        }
      }
    },
  );

  test("is taken out of base64 of its percent-encoding, of hexadecimal, of a list of bytes", () => {
    const secret = "pass/word+1234";
    const bytes = Buffer.from(secret);
    const encoded = Buffer.from(encodeURIComponent(secret)).toString("base64");
    expect(redact(`<${encoded.replace(/=+$/, "")}>`, [secret])).toMatch(/^<\[redacted\]\w?>$/);
    expect(redact(`<${bytes.toString("hex")}>`, [secret])).toBe("<[redacted]>");
    expect(redact(`<${bytes.toString("hex").toUpperCase()}>`, [secret])).toBe("<[redacted]>");
    expect(redact(`[${bytes.join(", ")}]`, [secret])).toBe("[[redacted]]");
    expect(redact(bytes.join(","), [secret])).toBe("[redacted]");
  });

  test("that is shorter than eight characters in one reading is found as it is written alone", () => {
    const secret = "=41=42=43=44";
    expect(redact(`<${secret}> 41424344`, [secret])).toBe("<[redacted]> 41424344");
  });

  test("is taken out where it stands, also behind letters of any script", () => {
    const secret = "a-secret-of-two-words";
    expect(redact(`߿ß密🔑 <${secret.toUpperCase()}> x`, [secret])).toBe("߿ß密🔑 <[redacted]> x");
  });

  test("of seven characters is not searched in an encoding: what encodes it may be a word", () => {
    const secret = "abcdefg";
    for (const encoding of ["base64", "hex"] as const) {
      const text = Buffer.from(secret).toString(encoding);
      expect(redact(text, [secret])).toBe(text);
    }
  });

  test("never survives, also one that has no shape", () => {
    const secrets = fc.stringMatching(/^[A-Za-z0-9+/=$^*?.|-]{12,80}$/);
    fc.assert(
      fc.property(
        fc.array(secrets, { minLength: 1, maxLength: 3 }),
        fc.string(),
        (given, around) => {
          const clean = redact(`${around}${given.join(around)}${given.join("")}`, given);
          for (const secret of given) expect(clean).not.toContain(secret);
        },
      ),
    );
  });
});

describe("a secret that is remembered", () => {
  test("survives in no text, in any spelling, though no one names it", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9._~+/=-]{24,60}$/);
    const spelling = fc.constantFrom(...Object.entries(SPELLINGS));
    fc.assert(
      fc.property(secret, spelling, fc.string(), (text, [, spell], around) => {
        rememberSecret(text);
        const pieces = spell(piecesOf(text));
        const written = `${around} ${pieces.join("")} ${around}`;
        expect(partIn(safeText(written, 5_000), pieces, 16)).toBeUndefined();
        const { message, stack = "" } = safeCause(new Error(written));
        expect(partIn(`${message}\n${stack}`, pieces, 16)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test("is found in base64 and hexadecimal, given as a text or as bytes", () => {
    const [text, bytes] = [opaque(), randomBytes(32)];
    rememberSecret(text);
    rememberSecret(bytes);
    for (const form of [
      Buffer.from(text).toString("base64"),
      Buffer.from(text).toString("hex"),
      bytes.toString("base64"),
      bytes.toString("base64url"),
      bytes.toString("hex"),
      bytes.toString("hex").toUpperCase(),
    ]) {
      expect(isShown(form), form).toBe(false);
    }
  });

  test("has eight characters at least: a shorter one may be a word", () => {
    rememberSecret("sevenly");
    rememberSecret("");
    rememberSecret(undefined);
    expect(isShown("sevenly")).toBe(true);
    rememberSecret("eightful");
    expect(isShown("eightful")).toBe(false);
    rememberSecret(`${" ".repeat(16 * 1024)}trimmed-secret`);
    expect(isShown("trimmed-secret")).toBe(false);
  });

  test("is forgotten after 64 others, and not when it is read again meanwhile", () => {
    const [old, used] = [opaque(), opaque()];
    rememberSecret(old);
    rememberSecret(used);
    for (let count = 0; count < 63; count += 1) rememberSecret(opaque());
    expect([isShown(old), isShown(used)]).toEqual([true, false]);
    rememberSecret(used);
    for (let count = 0; count < 63; count += 1) rememberSecret(opaque());
    expect(isShown(used)).toBe(false);
    rememberSecret(opaque());
    expect(isShown(used)).toBe(true);
  });

  test("is forgotten when later ones have 32 KiB together", () => {
    const [old, used] = [opaque(), opaque()];
    rememberSecret(old);
    rememberSecret("b2".repeat(8_192));
    rememberSecret(used);
    expect([isShown(old), isShown(used)]).toEqual([false, false]);
    rememberSecret("c3".repeat(8_192));
    expect([isShown(old), isShown(used)]).toEqual([true, false]);
    rememberSecret("d4".repeat(8_192));
    expect([isShown(used), isShown("c3".repeat(12))]).toEqual([true, false]);
  });

  test("is remembered in its first 16 KiB", () => {
    const long = `${"a1".repeat(8_192)}${opaque()}`;
    rememberSecret(long);
    expect(safeText(long.slice(0, 100))).toBe("[redacted]");
    expect(isShown(long.slice(-24))).toBe(true);
  });
});
