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
    ["that is empty removes nothing", [""], "some words"],
    ["that is short is removed as written", ["words"], "some [redacted]"],
    ["may be missing", [], "some words"],
  ])("%s", (_, secrets, expected) => {
    expect(redact("some words", secrets)).toBe(expected);
  });

  test("of seven characters is only found as written, and one of eight in any letter case", () => {
    expect(redact("ABCDEFG abcdefg", ["abcdefg"])).toBe("ABCDEFG [redacted]");
    expect(redact("%41BCDEFGH abcdefgh", ["abcdefgh"])).toBe("[redacted] [redacted]");
  });

  test("is removed where sixteen of its characters follow each other, and stays where fifteen do", () => {
    const secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (let at = 0; at + 16 <= secret.length; at += 1) {
      expect(redact(`<${secret.slice(at, at + 16)}>`, [secret])).toBe("<[redacted]>");
      expect(redact(`<${secret.slice(at, at + 15)}>`, [secret])).not.toContain("[redacted]");
    }
  });

  test("of 15 characters is removed as a whole in any letter case, and 14 of them stay", () => {
    const secret = "0123456789abcde";
    expect(redact(`<${secret.toUpperCase()}>`, [secret])).toBe("<[redacted]>");
    expect(redact(`<${secret.slice(1)}>`, [secret])).toBe(`<${secret.slice(1)}>`);
  });

  test("of any length leaves no sixteen consecutive characters, also next to other secrets", () => {
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

  test("stays where fifteen of its characters begin or end the text", () => {
    const secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (const part of [secret.slice(0, 15), secret.slice(-15)]) {
      expect(redact(part, [secret])).toBe(part);
    }
  });

  test("that repeats itself is found by the part that continues as the text does", () => {
    const secret = "samplexyz-------samplexyzTAIL1234567";
    expect(redact("<samplexyzTAIL123>", [secret])).toBe("<[redacted]>");
    expect(redact("<samplexyz------->", [secret])).toBe("<[redacted]>");
    expect(redact("<samplexyz-------TAIL>", [secret])).toBe("<[redacted]TAIL>");
  });

  test("that begins within another one is removed to its end", () => {
    const [one, two] = ["0123456789abcdefSHARED12", "SHARED12ghijklmnop"];
    const text = `<${one}${two.slice(8)}>`.toUpperCase();
    expect(redact(text, [one, two])).toBe("<[redacted]>");
    expect(redact(`${text} ${text}`, [one, two])).toBe("<[redacted]> <[redacted]>");
  });

  test.each(["abcd=efgh&ijkl;mnop%qrst", "ab=cd&ef;gh%ij"])(
    "such as %s is removed although it contains marks of escapes, in any letter case",
    (secret) => {
      const text = (written: string) => `a=b <${written}> c=d`;
      expect(redact(text(secret), [secret])).toBe(text("[redacted]"));
      expect(redact(text(secret.toUpperCase()), [secret])).toBe(text("[redacted]"));
      expect(redact(text(secret.replace(/[=&;%]/g, "")), [secret])).toBe(text("[redacted]"));
    },
  );

  test.each(["base64", "base64url"] as const)(
    "is removed from %s with all characters that depend on it alone",
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

  test("is removed from base64 of its percent-encoding, from hexadecimal and from a list of bytes", () => {
    const secret = "pass/word+1234";
    const bytes = Buffer.from(secret);
    const encoded = Buffer.from(encodeURIComponent(secret)).toString("base64");
    expect(redact(`<${encoded.replace(/=+$/, "")}>`, [secret])).toMatch(/^<\[redacted\]\w?>$/);
    expect(redact(`<${bytes.toString("hex")}>`, [secret])).toBe("<[redacted]>");
    expect(redact(`<${bytes.toString("hex").toUpperCase()}>`, [secret])).toBe("<[redacted]>");
    expect(redact(`[${bytes.join(", ")}]`, [secret])).toBe("[[redacted]]");
    expect(redact(bytes.join(","), [secret])).toBe("[redacted]");
  });

  test("with fewer than eight characters in one plain text is only found as written", () => {
    const secret = "=41=42=43=44";
    expect(redact(`<${secret}> 41424344`, [secret])).toBe("<[redacted]> 41424344");
  });

  test("is removed at its place, also after letters of any script", () => {
    const secret = "a-secret-of-two-words";
    expect(redact(`߿ß密🔑 <${secret.toUpperCase()}> x`, [secret])).toBe("߿ß密🔑 <[redacted]> x");
  });

  test("of seven characters is not found in an encoding, because its encoding may be a word", () => {
    const secret = "abcdefg";
    for (const encoding of ["base64", "hex"] as const) {
      const text = Buffer.from(secret).toString(encoding);
      expect(redact(text, [secret])).toBe(text);
    }
  });

  test("never survives, even without the shape of a secret", () => {
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
  test("survives in no text, in any spelling, although no caller names it", () => {
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

  test("has at least eight characters, because a shorter one may be a word", () => {
    rememberSecret("sevenly");
    rememberSecret("");
    rememberSecret(undefined);
    expect(isShown("sevenly")).toBe(true);
    rememberSecret("eightful");
    expect(isShown("eightful")).toBe(false);
    rememberSecret(`${" ".repeat(16 * 1024)}trimmed-secret`);
    expect(isShown("trimmed-secret")).toBe(false);
  });

  test("is forgotten after 64 others, unless it is read again in the meantime", () => {
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

  test("is forgotten when later ones have 32 KiB in total", () => {
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

  test("is remembered up to its first 16 KiB", () => {
    const long = `${"a1".repeat(8_192)}${opaque()}`;
    rememberSecret(long);
    expect(safeText(long.slice(0, 100))).toBe("[redacted]");
    expect(isShown(long.slice(-24))).toBe(true);
  });
});
