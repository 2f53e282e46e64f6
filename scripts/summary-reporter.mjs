// A vitest reporter whose last line is the one that a CI reads: `N passed, N failed`, and how many were skipped, if any.
// Tests that passed only when they were tried again are named above it: each is a defect of the test or of the product.
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const unstable = [];
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      const states = tests.map((test) => test.result().state);
      for (const test of tests) {
        if (test.diagnostic()?.flaky) unstable.push(`${module.moduleId}: ${test.fullName}`);
      }
      for (const state of states) counts[state === 'passed' || state === 'failed' ? state : 'skipped'] += 1;
      // A file that broke before its tests, or in a hook around them, is a failure too.
      if (module.state() === 'failed' && !states.includes('failed')) counts.failed += 1;
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    // after all output of other reporters
    process.once('exit', () => {
      for (const name of unstable) process.stdout.write(`passed on the second try: ${name}\n`);
      process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
    });
  }
}
