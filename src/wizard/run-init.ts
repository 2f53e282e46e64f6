import { createRunner } from '../base/command.js';
import { systemClock } from '../base/clock.js';
import { DsaSlurmError } from '../base/errors.js';
import { loadSettings } from '../config/load.js';
import { configDirectory } from '../config/paths.js';
import { slurmEnvironment } from '../slurm/environment.js';
import { detect } from './detect/detect.js';
import { mergeDrafts } from './flow/partial-answers.js';
import { gatherGiven } from './flow/preset-answers.js';
import { importOld } from './import/index.js';
import type { Draft } from './init-answers.js';
import { answersOfProfile, withBase } from './flow/previous-answers.js';
import { openDoors } from './detect/open-site-probes.js';
import { answersFile } from './print-answers.js';
import { fill } from './flow/unattended-answers.js';
import type { InitOptions, InitSite } from './init-context.js';
import { openAnswerStore } from './flow/answer-store.js';
import { startWalk } from './flow/question-flow.js';
import { runUnattended } from './flow/non-interactive.js';

/**
 * Sets a site up: with a person at a terminal, or from what is given.
 * @returns the exit code: 0 done; 1 Girder, Slurm or files stood in the way; 2 answers are missing or wrong; 130 stopped
 * @throws DsaSlurmError `usage` for flags and answers that mean nothing, `files` if nothing could be written
 */
export async function runInit(options: InitOptions): Promise<number> {
  const { env, profile, stdin, stdout, yes, json, printAnswers } = options;
  const given = gatherGiven({ ...options.answers, env });
  const attended = !yes && !json && !printAnswers && stdin.isTTY === true && stdout.isTTY === true;
  if (!attended && !yes && !printAnswers && !options.dryRun) {
    throw new DsaSlurmError(
      'usage',
      'Without a terminal nobody can be asked, and nothing is written unasked.',
      {
        next: 'Give the answers and --yes, or look first with --dry-run. All of them: dsa-slurm init --help',
      },
    );
  }
  const configDir = configDirectory(env);
  const store = openAnswerStore(configDir, profile);
  const run = createRunner({ env: slurmEnvironment(env, ['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS']) });
  const doors = openDoors({ run });
  if (attended) stdout.write(`dsa-slurm init: sets up the profile "${profile}".\nLooking at this machine …`);
  const [detected, before, imported] = await Promise.all([
    detect({ run, env, clock: systemClock, doors, signal: options.signal }),
    store.answers(),
    options.from === null ? null : importOld(options.from),
  ]);
  if (attended) stdout.write('\r\u001B[2K');
  const known = withBase(
    mergeDrafts(
      imported?.answers ?? {},
      answersOfProfile(configDir, profile),
      before.draft,
      knownAuthorities(configDir, profile, env),
    ),
  );
  const site: InitSite = {
    ...options,
    run,
    doors,
    store,
    given,
    known,
    accepted: before.accepted,
    imported,
    detected,
  };
  if (printAnswers) {
    const { walk } = await fill({
      walk: startWalk(known),
      given,
      detected,
      doors,
      generate: false,
      check: false,
    });
    stdout.write(answersFile(walk.draft, profile, detected));
    return 0;
  }
  if (!attended) return runUnattended(site);
  // the prompts take as long to load as all of the rest
  const { runAttended } = await import('./flow/interactive.js');
  return runAttended(site);
}

/** `girder.caFile` and `broker.caFile` of the profile or the environment; whatever else is wrong with those is not the wizard's business. */
function knownAuthorities(configDir: string, profile: string, env: InitOptions['env']): Draft {
  try {
    const { girder, broker } = loadSettings({ profile, configDir, env, flags: {} }).settings;
    return {
      ...(girder.caFile === null ? {} : { girder: { caFile: girder.caFile } }),
      ...(broker.caFile === null ? {} : { broker: { caFile: broker.caFile } }),
    };
  } catch {
    return {};
  }
}
