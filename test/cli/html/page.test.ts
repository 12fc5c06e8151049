import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joined, markup, TimeScale } from "../../../src/cli/html/page.js";
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
    expect(joined(pieces, markup`<br>`).join("")).toBe("a<br>b<br>c");
  });
});

describe("an axis of time", () => {
  test("positions times by their share of the width, within its edges", () => {
    const scale = new TimeScale(-1000, 3000);
    expect([-5000, -1000, 0, 3000, 9000].map((ms) => scale.x(ms))).toEqual([
      "0.000%",
      "0.000%",
      "25.000%",
      "100.000%",
      "100.000%",
    ]);
    expect(scale.width(-5000, 1000)).toBe("50.000%");
    expect(scale.width(4000, 9000)).toBe("0.000%");
  });

  test.each([
    [0, 5100, [0, 1000, 2000, 3000, 4000, 5000]],
    [0, 18_000, [0, 5000, 10_000, 15_000]],
    [-300_000, 3_900_000, [0, 1_200_000, 2_400_000, 3_600_000]],
  ])("from %i to %i ms has round ticks", (fromMs, toMs, ticks) => {
    expect(new TimeScale(fromMs, toMs).ticks().map((ms) => ms + 0)).toEqual(ticks);
  });

  test("has at most seven ticks, all inside it, whatever it spans", () => {
    const span = fc.tuple(fc.integer({ min: -1e13, max: 0 }), fc.integer({ min: 1000, max: 1e15 }));
    fc.assert(
      fc.property(span, ([fromMs, toMs]) => {
        const scale = new TimeScale(fromMs, toMs);
        const ticks = scale.ticks();
        expect(ticks.length).toBeLessThanOrEqual(7);
        expect(ticks.every((ms) => scale.holds(ms))).toBe(true);
        expect(ticks.some((ms) => ms === 0)).toBe(true);
      }),
    );
  });
});
