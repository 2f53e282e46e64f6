import { profilePath, configDirectory } from '../../config/paths.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { Finding } from '../../doctor/check.js';
import { apply, type Applied, type Change } from '../apply/index.js';
import { completeAnswers } from './complete.js';
import { fill } from './unattended-answers.js';
import { checksText, examine, nextCommands, nextText } from './post-install.js';
import { findingText, lookFromNodes } from '../probe.js';
import { diffText, manifestPath, planChanges, planText } from '../apply/plan-review.js';
import type { InitSite } from '../init-context.js';
import { indented, mark } from './output.js';
import { startWalk } from './question-flow.js';

/** Sets a site up without asking anybody: everything that is missing or wrong is told at once, and then nothing is done. */
export async function runUnattended(site: InitSite): Promise<number> {
  const { profile, env, program, dryRun, json, stdout, stderr, known, given, detected, doors } = site;
  const say = (text: string): void => void (json ? stderr : stdout).write(`${text}\n`);
  const filled = await fill({
    walk: startWalk(known),
    given,
    detected,
    doors,
    generate: site.generatePasswords,
  });
  const warnings = [...(site.imported?.notes ?? []), ...filled.warnings];
  for (const warning of warnings) stderr.write(`${mark.careful} ${indented(warning).trimStart()}\n`);
  if (filled.problems.length > 0) throw problemsError(filled.problems);

  const { draft } = filled.walk;
  const answers = completeAnswers(draft, profile);
  if (!dryRun) for (const { act } of filled.acts) await act();
  const changes = await planChanges(answers, env, program);
  say(planText(changes));
  if (dryRun) {
    const diff = diffText(changes);
    if (diff !== '') say(`\n${diff}`);
    for (const { ask } of filled.acts) say(`\n${ask.replace(/ Make it\?$/, '')} It would be made.`);
    if (json) printJson(site, { dryRun, warnings, files: changes.map(fileOf) });
    return 0;
  }
  const probed = site.probe ? await lookFromNodes({ ...site, answers, show: () => undefined }) : [];
  for (const finding of probed) say(findingText(finding));
  if (probed.some(({ status }) => status === 'fail')) {
    throw new DsaSlurmError(
      'files',
      'The nodes do not see the directories as they are here. Nothing was written.',
      {
        next: probed.find(({ status }) => status === 'fail')?.fix ?? 'Choose other directories.',
      },
    );
  }
  const applied = await apply(changes, {
    manifestPath: manifestPath(env, profile),
    decide: () => (site.overwrite ? 'overwrite' : 'keep'),
  });
  await site.store.saveAnswers({ draft, accepted: site.accepted });
  await site.store.forgetProgress();
  for (const path of applied.kept) {
    stderr.write(`${mark.careful} ${path} was changed by hand and stays as it is (--overwrite writes it).\n`);
  }
  const results = await examine(answers, site);
  const next = nextCommands(
    answers,
    changes.map(({ file }) => file.path),
  );
  if (json) {
    printJson(site, {
      ...jsonOf(changes, applied, probed),
      warnings,
      doctor: results,
      next: next.map(([command]) => command),
    });
  } else {
    say(`\n${mark.heading('The doctor')}\n${checksText(results)}`);
    say(`\n${mark.heading('Next')}\n${nextText(next)}`);
  }
  return 0;
}

/** Every missing and every wrong answer, as one error. */
function problemsError(problems: readonly { problem: string; fix: string }[]): DsaSlurmError {
  const lines = problems.map(({ problem, fix }) => `\n\n  ${problem}\n    ${fix}`);
  const count = problems.length === 1 ? 'One answer is' : `${problems.length} answers are`;
  return new DsaSlurmError(
    'usage',
    `${count} missing or cannot be used. Nothing was written.${lines.join('')}\n`,
    {
      next: 'A file to fill in: dsa-slurm init --print-answers > site.yaml; then: dsa-slurm init --answers site.yaml --yes',
    },
  );
}

function fileOf({ file, change, diff }: Change): object {
  return { path: file.path, change, mode: file.mode.toString(8), purpose: file.purpose, diff };
}

function jsonOf(changes: readonly Change[], applied: Applied, probe: readonly Finding[]): object {
  return { dryRun: false, files: changes.map(fileOf), ...applied, probe };
}

function printJson({ stdout, profile, env }: InitSite, content: object): void {
  const path = profilePath(configDirectory(env), profile);
  stdout.write(`${JSON.stringify({ profile, path, ...content }, null, 2)}\n`);
}
