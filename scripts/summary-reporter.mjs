// A vitest reporter whose last line is the one that a CI reads: `N passed, N failed`, and how many were skipped, if any.
// Above it, what failed with its error, because a CI may keep only the end of a long log, and what passed only when it was
// tried again: each of these is a defect of the test or of the product.
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Lines of one error that are repeated at the end. */
const ERROR_LINES = 20;

export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const lines = unhandledErrors.flatMap((error) => failure('failed: outside of any test', [error]));
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      const tests = [...module.children.allTests()];
      const states = tests.map((test) => test.result().state);
      for (const test of tests) {
        const { state, errors } = test.result();
        counts[state === 'passed' || state === 'failed' ? state : 'skipped'] += 1;
        const name = `${file}: ${test.fullName}`;
        if (state === 'failed') lines.push(...failure(`failed: ${name}`, errors));
        else if (test.diagnostic()?.flaky)
          lines.push(...failure(`passed on the second try: ${name}`, errors));
      }
      // A file that broke before its tests, or in a hook around them, is a failure too.
      if (module.state() === 'failed' && !states.includes('failed')) {
        counts.failed += 1;
        lines.push(...failure(`failed: ${file}`, module.errors()));
      }
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    // after all output of other reporters
    process.once('exit', () => {
      for (const line of lines) process.stdout.write(`${line}\n`);
      process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
    });
  }
}

function failure(heading, errors = []) {
  const text = errors
    .map((error) => [error.stack || error.message || error, error.diff ?? ''].join('\n'))
    .join('\n');
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^ +at .*(node_modules|node:internal|new Promise)/u.test(line))
    .slice(0, ERROR_LINES);
  return [heading, ...lines.map((line) => `  | ${line}`)];
}
