import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joined, markup, trusted } from "../../../src/cli/html/markup.js";
import { HOSTILE } from "../sample-diagnosis.js";

describe("markup", () => {
  test("escapes a text, in an element and in an attribute", () => {
    const html = markup`<b title="${`"' onload='x'`}">${"<i>&amp;"}</b>`;
    expect(`${html}`).toBe('<b title="&quot;&#39; onload=&#39;x&#39;">&lt;i&gt;&amp;amp;</b>');
  });

  test("keeps markup, alone and in a list, and tells numbers as they are", () => {
    const item = markup`<li>${1.5}</li>`;
    expect(`${markup`<ul>${item}${[item, item]}${[]}</ul>`}`).toBe(
      "<ul><li>1.5</li><li>1.5</li><li>1.5</li></ul>",
    );
  });

  test("never lets a text become a tag, an attribute or an invisible sign", () => {
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

  test("bounds a text of any length", () => {
    expect(`${markup`${"a".repeat(10_000)}`}`).toHaveLength(2001);
  });

  test("puts something between pieces only", () => {
    const pieces = ["a", "b", "c"].map((text) => markup`${text}`);
    expect(joined(pieces, trusted("<br>")).join("")).toBe("a<br>b<br>c");
  });
});
