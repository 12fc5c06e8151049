import { describe, expect, test } from "vitest";
import { bareHostname, isLoopbackUrl } from "../../src/runtime/url-host.js";

describe("isLoopbackUrl", () => {
  test.each([
    "http://localhost:8080",
    "https://LOCALHOST/path",
    "http://idp.localhost",
    "http://127.0.0.1:1",
    "http://127.8.9.10",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::1]:443",
  ])("accepts %s", (url) => {
    expect(isLoopbackUrl(new URL(url))).toBe(true);
  });

  test.each([
    "http://localhost.example.com",
    "http://notlocalhost",
    "http://127.0.0.1.example.com",
    "http://128.0.0.1",
    "http://10.0.0.1",
    "http://169.254.169.254",
    "http://example.com/127.0.0.1",
    "http://localhost@example.com",
    "http://[::2]",
  ])("does not accept %s", (url) => {
    expect(isLoopbackUrl(new URL(url))).toBe(false);
  });
});

test.each([
  ["https://[2001:db8::1]:8443/", "2001:db8::1"],
  ["https://idp.example.com/", "idp.example.com"],
  ["http://127.0.0.1/", "127.0.0.1"],
])("bareHostname returns the host of %s as a socket accepts it", (url, host) => {
  expect(bareHostname(new URL(url))).toBe(host);
});
