import { afterEach, vi } from "vitest";

// A worker runs many files, so a variable that a test stubs ends with the test.
afterEach(() => {
  vi.unstubAllEnvs();
});
