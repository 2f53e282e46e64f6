// A vitest reporter whose only line is the one that a CI reads: `N passed, N failed`, and how many were skipped, if any.
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state);
      for (const state of states) counts[state === 'passed' || state === 'failed' ? state : 'skipped'] += 1;
      // A file that broke before its tests, or in a hook around them, is a failure too.
      if (module.state() === 'failed' && !states.includes('failed')) counts.failed += 1;
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    // after everything that other reporters still have to say
    process.once('exit', () =>
      process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`),
    );
  }
}
