import { markdownReport } from "../format.ts";
import { markdownTable, short } from "../table.ts";
import type { BenchReport } from "../records.ts";
import type { Deviation, TestResult } from "./runner.ts";

/** What `verify:gpu` leaves as report.json. */
export interface VerifyReport {
  readonly adapter: string;
  readonly driver: string;
  readonly software: boolean;
  readonly quick: boolean;
  readonly date: string;
  readonly sections: SectionReport[];
  bench?: BenchReport;
  /** What went wrong outside any test. */
  readonly failures: string[];
  /** Seconds since the start. */
  seconds: number;
}

export interface SectionReport {
  readonly name: string;
  passed: number;
  seconds: number;
  readonly failed: TestResult[];
  /** The comparison that came nearest to its limit. */
  nearest?: Deviation;
  /** The slowest tests. */
  slowest: { readonly name: string; readonly milliseconds: number }[];
}

const SLOWEST = 5;

export function newSection(name: string): SectionReport {
  return { name, passed: 0, seconds: 0, failed: [], slowest: [] };
}

/** Counts one test in. */
export function addResult(section: SectionReport, result: TestResult): void {
  const { name, milliseconds, error, nearest } = result;
  if (error === undefined) section.passed++;
  else section.failed.push(result);
  if (nearest && !(section.nearest && nearest.share / nearest.limit <= section.nearest.share / section.nearest.limit)) section.nearest = nearest;
  section.slowest = [...section.slowest, { name, milliseconds }].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, SLOWEST);
  section.seconds += milliseconds / 1e3;
}

/** Whether everything passed. */
export function isClean({ sections, bench, failures }: VerifyReport): boolean {
  return failures.length === 0 && sections.every(({ failed }) => failed.length === 0) && (bench?.failures.length ?? 0) === 0;
}

/** The report for people. */
export function verifyMarkdown(report: VerifyReport): string {
  const { adapter, driver, sections, bench, failures, seconds, date, quick } = report;
  const failed = sections.flatMap((section) => section.failed);
  const lines = [...failures, ...failed.map(({ name, error }) => `${name}: ${error}`)];
  return [
    `# ${isClean(report) ? "Verified" : "NOT verified"}: ${adapter}`,
    `${driver}; ${date}; ${short(seconds)} s${quick ? "; quick" : ""}`,
    markdownTable({
      title: "Tests",
      head: ["section", "passed", "failed", "s", "nearest to its limit", "off by", "allowed"],
      rows: sections.map((section) => [
        section.name,
        `${section.passed}`,
        `${section.failed.length}`,
        short(section.seconds),
        section.nearest?.label ?? "",
        section.nearest?.share.toExponential(2) ?? "",
        section.nearest?.limit.toExponential(2) ?? "",
      ]),
    }),
    ...(lines.length > 0 ? [lines.map((line) => `- **failed**: ${line}`).join("\n")] : []),
    ...(bench ? [markdownReport(bench)] : []),
  ].join("\n\n") + "\n";
}
