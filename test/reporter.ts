import type { Reporter, SerializedError, TestModule } from "vitest/node";

/**
 * Ends the output of a run with the line `N passed, N failed`, for whoever reads it by machine. A file that does not
 * load, a hook that throws, an error outside any test and a run that never got to its tests count as failures too.
 */
export default class ClosingLine implements Reporter {
  private passed = 0;
  private failed = 1;

  onInit(): void {
    process.once("exit", () => console.log(`${this.passed} passed, ${this.failed} failed`));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.passed = 0;
    this.failed = unhandled.length;
    for (const module of modules) {
      let failedHere = module.errors().length;
      for (const suite of module.children.allSuites()) failedHere += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") this.passed++;
        if (state === "failed") failedHere++;
      }
      this.failed += failedHere === 0 && module.state() === "failed" ? 1 : failedHere;
    }
    if (modules.length === 0) this.failed ||= 1;
  }
}
