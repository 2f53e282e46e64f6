import { configDirectory, profilePath } from '../../config/paths.js';
import { apply, type Change } from '../apply/index.js';
import { askQuestions } from './interactive-answers.js';
import { Stopped, type Prompter } from './prompter.js';
import { completeAnswers } from './complete.js';
import { checksText, closingLine, newUserText, nextCommands, nextText, runDoctor } from './post-install.js';
import { recapText } from './recap.js';
import { offerStart, openConsole } from './start-worker.js';
import { checkGirderSettings } from '../girder-settings.js';
import type { ProbeAnswer } from '../../doctor/probe/probe-job.js';
import { probeStep } from '../probe.js';
import { createPrompter } from './prompts.js';
import { decideEdited, diffText, manifestPath, planChanges, planText, review } from '../apply/plan-review.js';
import type { InitContext } from '../init-context.js';
import { detectionText, indented, style } from './output.js';
import type { InitAnswers } from '../init-answers.js';
import { hasAnswers, startFlow, stepBack, type FlowState } from './question-flow.js';

/** Runs init at a terminal. Saves each answer, so that Ctrl-C loses none. @returns the exit code */
export async function runInteractive(context: InitContext): Promise<number> {
  const prompter = createPrompter({ input: context.stdin, output: context.stdout, signal: context.signal });
  let answered = false;
  try {
    return await runQuestions(context, prompter, () => {
      answered = true;
    });
  } catch (thrown) {
    if (!(thrown instanceof Stopped)) throw thrown;
    prompter.print(
      answered
        ? '\nStopped. Your answers are kept: run init again to continue.'
        : '\nStopped. Nothing was changed.',
    );
    return 130;
  }
}

async function runQuestions(context: InitContext, prompter: Prompter, onAnswer: () => void): Promise<number> {
  const { detected, presets, probes, store, dryRun } = context;
  prompter.print(`\n${style.heading('Detected on this machine')}\n${detectionText(detected)}`);
  if (context.imported !== null) showImport(context.imported, prompter);
  let flow = await startOrResume(context, prompter);
  prompter.print(
    `\n${indented(
      `Enter accepts the answer in brackets. ${style.heading('<')} goes back, ${style.heading('-')} means none, ${style.heading('?')} explains.`,
      0,
    )}\nCtrl-C stops; your answers are kept.`,
  );
  let hasNewUser = false;
  for (;;) {
    flow = await askQuestions({
      flow,
      presets,
      detected,
      probes,
      prompter,
      dryRun,
      onNewUser: () => {
        hasNewUser = true;
      },
      async onProgress(now) {
        if (dryRun || !hasAnswers(now)) return;
        await store.saveProgress(now);
        onAnswer();
      },
    });
    const answers = completeAnswers(flow.draft, context.profile, context.imported?.settings);
    const probe = dryRun ? null : await probeStep({ ...context, answers, prompter });
    if (probe?.next === 'change') {
      flow = stepBack(flow) ?? flow;
      continue;
    }
    prompter.print(`\n${style.heading('Your answers')}\n${recapText(flow)}`);
    const { imported, migration } = context;
    if (migration !== null && imported !== null) {
      const { draft } = flow;
      const { text } = await prompter.busy('Reading the queue', async () =>
        migration.review(imported, draft),
      );
      prompter.print(`\n${text}`);
    }
    const changes = await planChanges(answers, context.env, context.program);
    if (dryRun) {
      prompter.print(`\n${style.heading('Files')}\n${planText(changes)}\n\n${diffText(changes)}`);
      return 0;
    }
    const decision = await review(changes, prompter);
    if (decision.kind === 'stop') throw new Stopped();
    if (decision.kind === 'write') {
      await write(context, prompter, { flow, answers, changes, probed: probe?.answers ?? [] });
      if (hasNewUser && answers.deployment === null) {
        prompter.print(
          `\n${newUserText(answers, profilePath(configDirectory(context.env), context.profile))}`,
        );
      }
      return 0;
    }
    flow = stepBack(flow) ?? flow;
  }
}

async function write(
  context: InitContext,
  prompter: Prompter,
  {
    flow,
    answers,
    changes,
    probed,
  }: { flow: FlowState; answers: InitAnswers; changes: readonly Change[]; probed: readonly ProbeAnswer[] },
): Promise<void> {
  const { env, profile, store } = context;
  const applied = await apply(changes, {
    manifestPath: manifestPath(env, profile),
    decide: (change) => decideEdited(change, prompter),
  });
  await context.migration?.onApplied(changes, applied);
  await store.saveAnswers(flow);
  await store.deleteProgress();
  const count = applied.written.length;
  prompter.print(
    `${style.good} ${count === 0 ? 'No file had to be written.' : `${count} ${count === 1 ? 'file' : 'files'} written.`}`,
  );
  for (const [path, backup] of Object.entries(applied.backups))
    prompter.print(indented(`backup of ${path}: ${backup}`));
  await checkGirderSettings(answers, context.probes, prompter);
  prompter.print(`\n${style.heading('Running the doctor')}`);
  const results = await prompter.busy('Checking', async () => runDoctor(answers, context, probed));
  prompter.print(checksText(results));
  prompter.print(`\n${style.heading('Next')}`);
  const commands = [
    ...nextCommands(
      answers,
      changes.map(({ file }) => file.path),
    ),
    ...(context.migration?.next ?? []),
  ];
  prompter.print(nextText(commands));
  const started = await offerStart(context, prompter, answers, results);
  prompter.print(`\n${closingLine({ answers, results, started, commands })}`);
  if (started === 'console') await openConsole(context);
}

/** Starts from the beginning, or resumes an interrupted run if the operator agrees. */
async function startOrResume(
  { store, known, accepted }: InitContext,
  prompter: Prompter,
): Promise<FlowState> {
  const progress = await store.progress();
  if (progress === null || !hasAnswers(progress)) return startFlow(known, accepted);
  const count = progress.steps.filter(({ asked }) => asked).length;
  const answers = count === 1 ? 'one answer' : `${count} answers`;
  prompter.print(`\nAn earlier run was interrupted after ${answers}:\n${recapText(progress)}`);
  const why = indented(
    'No starts with the first question; what you answered is proposed only if it was written.',
  );
  if ((await prompter.confirm('Continue from there?', true, why)) === true) return progress;
  await store.deleteProgress();
  return startFlow(known, accepted);
}

function showImport({ found, notes }: NonNullable<InitContext['imported']>, prompter: Prompter): void {
  prompter.print(`\n${style.heading('Read from the existing site')}`);
  for (const path of found) prompter.print(`  ${path}`);
  for (const note of notes) prompter.print(`${style.careful} ${indented(note).trimStart()}`);
}
