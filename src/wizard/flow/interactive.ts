import { configDirectory, profilePath } from '../../config/paths.js';
import { apply, type Change } from '../apply/index.js';
import { ask } from './interactive-answers.js';
import { Stopped, type Asker } from './prompter.js';
import { completeAnswers } from './complete.js';
import { checksText, examine, newUserText, nextCommands, nextText } from './post-install.js';
import { girderSettingsStep } from '../girder-settings.js';
import { probeStep } from '../probe.js';
import { createAsker } from './prompts.js';
import { decideEdited, diffText, manifestPath, planChanges, planText, review } from '../apply/plan-review.js';
import type { InitSite } from '../init-context.js';
import { detectionText, indented, mark } from './output.js';
import type { SiteAnswers } from '../init-answers.js';
import { hasAnswers, startWalk, stepBack, type Walk } from './question-flow.js';

/** Leads a person through it. What is answered is kept at once; Ctrl-C ends it without loss. */
export async function runAttended(site: InitSite): Promise<number> {
  const asker = createAsker({ input: site.stdin, output: site.stdout, signal: site.signal });
  let answered = false;
  try {
    return await lead(site, asker, () => {
      answered = true;
    });
  } catch (thrown) {
    if (!(thrown instanceof Stopped)) throw thrown;
    asker.say(
      answered
        ? '\nStopped. Your answers are kept: start init again to go on.'
        : '\nStopped. Nothing was changed.',
    );
    return 130;
  }
}

async function lead(site: InitSite, asker: Asker, onAnswer: () => void): Promise<number> {
  const { detected, given, doors, store, dryRun } = site;
  asker.say(`\n${mark.heading('Seen on this machine')}\n${detectionText(detected)}`);
  if (site.imported !== null) showImport(site.imported, asker);
  let walk = await beginning(site, asker);
  asker.say(
    `\nEnter takes the answer in brackets. ${mark.heading('<')} goes back, ${mark.heading('-')} means none.\nCtrl-C stops; what you answered is kept.`,
  );
  const made: { newUser: boolean } = { newUser: false };
  for (;;) {
    walk = await ask({
      walk,
      given,
      detected,
      doors,
      asker,
      dryRun,
      onNewUser: () => {
        made.newUser = true;
      },
      async onWalk(now) {
        if (dryRun || !hasAnswers(now)) return;
        await store.saveProgress(now);
        onAnswer();
      },
    });
    const answers = completeAnswers(walk.draft, site.profile);
    if (!dryRun && (await probeStep({ ...site, answers, asker })) === 'change') {
      walk = stepBack(walk) ?? walk;
      continue;
    }
    const changes = await planChanges(answers, site.env, site.program);
    if (dryRun) {
      asker.say(`\n${mark.heading('Files')}\n${planText(changes)}\n\n${diffText(changes)}`);
      return 0;
    }
    const decision = await review(changes, asker);
    if (decision.kind === 'stop') throw new Stopped();
    if (decision.kind === 'write') {
      await write(site, asker, walk, answers, changes);
      if (made.newUser && answers.deployment === null) {
        asker.say(`\n${newUserText(answers, profilePath(configDirectory(site.env), site.profile))}`);
      }
      return 0;
    }
    walk = stepBack(walk) ?? walk;
  }
}

async function write(
  site: InitSite,
  asker: Asker,
  walk: Walk,
  answers: SiteAnswers,
  changes: readonly Change[],
): Promise<void> {
  const { env, profile, store } = site;
  const applied = await apply(changes, {
    manifestPath: manifestPath(env, profile),
    decide: (change) => decideEdited(change, asker),
  });
  await store.saveAnswers(walk);
  await store.forgetProgress();
  const count = applied.written.length;
  asker.say(
    `${mark.good} ${count === 0 ? 'Nothing had to be written.' : `${count} ${count === 1 ? 'file' : 'files'} written.`}`,
  );
  for (const [path, backup] of Object.entries(applied.backups))
    asker.say(indented(`${path} before: ${backup}`));
  await girderSettingsStep(answers, site.doors, asker);
  asker.say(`\n${mark.heading('The doctor looks at the result')}`);
  asker.say(checksText(await examine(answers, site)));
  asker.say(`\n${mark.heading('Next')}`);
  asker.say(
    nextText(
      nextCommands(
        answers,
        changes.map(({ file }) => file.path),
      ),
    ),
  );
}

/** A new way, or one that was broken off. */
async function beginning({ store, known, accepted }: InitSite, asker: Asker): Promise<Walk> {
  const progress = await store.progress();
  if (progress === null || !hasAnswers(progress)) return startWalk(known, accepted);
  const count = progress.steps.filter(({ asked }) => asked).length;
  const answers = count === 1 ? 'one answer' : `${count} answers`;
  asker.say(`\nAn earlier start stopped after ${answers}.`);
  if (await asker.yesNo('Go on from there?', true)) return progress;
  await store.forgetProgress();
  return startWalk(known, accepted);
}

function showImport({ found, notes }: NonNullable<InitSite['imported']>, asker: Asker): void {
  asker.say(`\n${mark.heading('Read from the old site')}`);
  for (const path of found) asker.say(`  ${path}`);
  for (const note of notes) asker.say(`${mark.careful} ${indented(note).trimStart()}`);
}
