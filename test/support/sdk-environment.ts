import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, vi } from "vitest";

/**
 * No test sees the machine's own AWS settings: every `AWS_…` variable is gone, and the shared files
 * are ones that do not exist. The SDK's warning about Node's version stays off.
 */
export function withoutAwsSettings(): void {
  beforeEach(() => {
    for (const name of Object.keys(process.env)) {
      if (name.startsWith("AWS_") && !name.startsWith("AWS_SDK_JS_NODE_"))
        vi.stubEnv(name, undefined);
    }
    vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent/config");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials");
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });
}

/** Files that are gone with the test. */
export interface TemporaryFolder extends Disposable {
  readonly path: string;
  /** Writes a file and returns its path. */
  write(name: string, text: string | Buffer): string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), "resilient-sts-"));
  return {
    path,
    write(name, text) {
      const file = join(path, name);
      writeFileSync(file, text);
      return file;
    },
    [Symbol.dispose]() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}
