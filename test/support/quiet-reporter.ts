import type { TestCase, TestModule } from "vitest/node";
import { DefaultReporter } from "vitest/node";

/**
 * Prints the test files that fail, the tests that were skipped with their reason, and the sum. Files that
 * pass are not listed: there are more than two hundred. A terminal shows the progress all the same.
 */
export class QuietReporter extends DefaultReporter {
  readonly #skipped = new Map<string, string[]>();

  protected override printTestModule(module: TestModule): void {
    if (module.state() === "failed") super.printTestModule(module);
  }

  protected override printTestCase(state: ReturnType<TestModule["state"]>, test: TestCase): void {
    if (test.result().state === "failed") super.printTestCase(state, test);
  }

  override onTestCaseResult(test: TestCase): void {
    super.onTestCaseResult(test);
    const result = test.result();
    if (result.state !== "skipped") return;
    const reason = result.note ?? "skipped";
    this.#skipped.set(reason, [...(this.#skipped.get(reason) ?? []), test.fullName]);
  }

  override onTestRunEnd(...run: Parameters<DefaultReporter["onTestRunEnd"]>): void {
    super.onTestRunEnd(...run);
    for (const [reason, names] of this.#skipped) this.log(`  ${reason}: ${names.join("; ")}`);
  }
}
