import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joined, markup, trusted } from "../../../src/cli/html/markup.js";
import { HOSTILE } from "../sample-diagnosis.js";

describe("markup", () => {
  test("escapes a text, in an element and in an attribute", () => {
    const html = markup`<b title="${`"' onload='x'`}">${"<i>&amp;"}</b>`;
    expect(`${html}`).toBe('<b title="&quot;&#39; onload=&#39;x&#39;">&lt;i&gt;&amp;amp;</b>');
  });

  test("keeps markup, alone and in a list, and numbers unchanged", () => {
    const item = markup`<li>${1.5}</li>`;
    expect(`${markup`<ul>${item}${[item, item]}${[]}</ul>`}`).toBe(
      "<ul><li>1.5</li><li>1.5</li><li>1.5</li></ul>",
    );
  });

  test("never turns text into a tag, an attribute or an invisible character", () => {
    const units = ["<", ">", "&", '"', "'", "`", "/", "=", "\u0000", "\u202e", "a", HOSTILE];
    const texts = fc.string({ unit: fc.constantFrom(...units) });
    fc.assert(
      fc.property(texts, (text) => {
        const inside = `${markup`${text}`}`;
        expect(inside).not.toMatch(/[<>"'\p{Cc}\u202a-\u202e]/u);
        expect(inside.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, "")).not.toContain("&");
      }),
    );
  });

  test("cuts a text to its maximum length", () => {
    expect(`${markup`${"a".repeat(10_000)}`}`).toHaveLength(2001);
  });

  test("puts the separator only between pieces", () => {
    const pieces = ["a", "b", "c"].map((text) => markup`${text}`);
    expect(joined(pieces, trusted("<br>")).join("")).toBe("a<br>b<br>c");
  });
});
