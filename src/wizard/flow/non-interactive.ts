import { profilePath, configDirectory } from '../../config/paths.js';
import { DsaSlurmError } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import type { Finding } from '../../doctor/check.js';
import { apply, type Applied, type Change } from '../apply/index.js';
import { completeAnswers } from './complete.js';
import { wouldRun } from './interactive-answers.js';
import { answerUnattended } from './unattended-answers.js';
import { checksText, runDoctor, nextCommands, nextText } from './post-install.js';
import { findingText, judgeProbes, probeFromNodes } from '../probe.js';
import { diffText, manifestPath, planChanges, planText } from '../apply/plan-review.js';
import type { InitContext } from '../init-context.js';
import { indented, style } from './output.js';
import { startFlow } from './question-flow.js';

/**
 * Runs init without prompts. @returns the exit code
 * @throws DsaSlurmError `usage` with all missing and invalid answers; then nothing was written
 */
export async function runNonInteractive(context: InitContext): Promise<number> {
  const { profile, env, program, dryRun, json, stdout, stderr, known, presets, detected, probes } = context;
  const print = (text: string): void => void (json ? stderr : stdout).write(`${text}\n`);
  const filled = await answerUnattended({
    flow: startFlow(known),
    presets,
    detected,
    probes,
    generate: context.generatePasswords,
  });
  const warnings = [...(context.imported?.notes ?? []), ...filled.warnings];
  for (const warning of warnings) stderr.write(`${style.careful} ${indented(warning).trimStart()}\n`);
  const { draft } = filled.flow;
  const { imported, migration } = context;
  const reviewed = migration === null || imported === null ? null : await migration.review(imported, draft);
  if (reviewed !== null) print(reviewed.text);
  if (filled.problems.length > 0) throw problemsError(filled.problems);

  const answers = completeAnswers(draft, profile, imported?.settings);
  if (!dryRun) for (const { run } of filled.actions) await run();
  const changes = await planChanges(answers, env, program);
  print(`${reviewed === null ? '' : `\n${style.heading('Files')}\n`}${planText(changes)}`);
  if (dryRun) {
    const diff = diffText(changes);
    if (diff !== '') print(`\n${diff}`);
    for (const { question } of filled.actions) print(`\n${wouldRun(question)}`);
    if (json) printJson(context, { dryRun, warnings, ...reviewed?.json, files: changes.map(fileOf) });
    return 0;
  }
  const answered = context.probe ? await probeFromNodes({ ...context, answers, show: () => undefined }) : [];
  const probed = judgeProbes(answered, answers);
  for (const finding of probed) print(findingText(finding));
  if (probed.some(({ status }) => status === 'fail')) {
    throw new DsaSlurmError(
      'files',
      'The directories are not usable on the compute nodes. Nothing was written.',
      {
        next: probed.find(({ status }) => status === 'fail')?.fix ?? 'Choose other directories.',
      },
    );
  }
  const applied = await apply(changes, {
    manifestPath: manifestPath(env, profile),
    decide: () => (context.overwrite ? 'overwrite' : 'keep'),
  });
  await migration?.onApplied(changes, applied);
  await context.store.saveAnswers({ draft, accepted: context.accepted });
  await context.store.deleteProgress();
  for (const path of applied.kept) {
    stderr.write(`${style.careful} ${path} was edited and is kept (--overwrite replaces it).\n`);
  }
  const results = await runDoctor(answers, context, answered);
  const next = [
    ...nextCommands(
      answers,
      changes.map(({ file }) => file.path),
    ),
    ...(migration?.next ?? []),
  ];
  if (json) {
    printJson(context, {
      ...jsonOf(changes, applied, probed),
      ...reviewed?.json,
      warnings,
      doctor: results,
      next: next.map(([command]) => command),
    });
  } else {
    print(`\n${style.heading('Doctor')}\n${checksText(results)}`);
    print(`\n${style.heading('Next')}\n${nextText(next)}`);
  }
  return 0;
}

/** All missing and invalid answers, as one error. */
function problemsError(problems: readonly { problem: string; fix: string }[]): DsaSlurmError {
  const lines = problems.map(({ problem, fix }) => `\n\n  ${problem}\n    ${fix}`);
  const count = problems.length === 1 ? 'One answer is' : `${problems.length} answers are`;
  return new DsaSlurmError('usage', `${count} missing or invalid. Nothing was written.${lines.join('')}\n`, {
    next: 'To use an answers file: dsa-slurm init --print-answers > site.yaml, edit it, and run: dsa-slurm init --answers site.yaml --yes',
  });
}

function fileOf({ file, change, diff }: Change): object {
  return { path: file.path, change, mode: file.mode.toString(8), purpose: file.purpose, diff };
}

function jsonOf(changes: readonly Change[], applied: Applied, probe: readonly Finding[]): object {
  return { dryRun: false, files: changes.map(fileOf), ...applied, probe };
}

function printJson({ stdout, profile, env }: InitContext, content: object): void {
  const path = profilePath(configDirectory(env), profile);
  stdout.write(`${printableJson({ profile, path, ...content }, 2)}\n`);
}
