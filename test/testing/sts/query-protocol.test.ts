import { expect, test } from "vitest";
import { escapeXml, writeXml } from "../../../src/testing/sts/query-protocol.js";

test.each([
  ["<&>\"'", "&lt;&amp;&gt;&quot;&apos;"],
  ["]]>", "]]&gt;"],
  ["tab\tline\nreturn\r", "tab\tline\nreturn&#xD;"],
  ["\u0000\u0008\u001b\ufffe", "\ufffd\ufffd\ufffd\ufffd"],
  ["half \ud800 pair", "half \ufffd pair"],
  ["whole \u{1f600} pair", "whole \u{1f600} pair"],
])("XML text escapes %j", (text, escaped) => {
  expect(escapeXml(text)).toBe(escaped);
});

test("an XML element has its members in order, without those that are undefined", () => {
  expect(writeXml("a", { b: 1, c: undefined, d: { e: "<" } }, ' x="y"')).toBe(
    '<a x="y"><b>1</b><d><e>&lt;</e></d></a>',
  );
});
