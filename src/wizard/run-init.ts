import { dirname, join } from 'node:path';
import { createRunner } from '../base/command.js';
import { systemClock } from '../base/clock.js';
import { DsaSlurmError } from '../base/errors.js';
import { loadSettings } from '../config/load.js';
import { configDirectory } from '../config/paths.js';
import { slurmEnvironment } from '../slurm/environment.js';
import { detect } from './detect/detect.js';
import { mergeDrafts } from './flow/partial-answers.js';
import { collectPresets, type PresetAnswers } from './flow/preset-answers.js';
import { importSite, type ImportedSite } from './import/index.js';
import type { Draft } from './init-answers.js';
import { answersOfProfile, inferBase } from './flow/previous-answers.js';
import { openSiteProbes } from './detect/open-site-probes.js';
import { answersFile } from './print-answers.js';
import { answerUnattended } from './flow/unattended-answers.js';
import type { InitOptions, InitContext } from './init-context.js';
import { openAnswerStore } from './flow/answer-store.js';
import { startFlow } from './flow/question-flow.js';
import { runNonInteractive } from './flow/non-interactive.js';

/**
 * Sets up a site, interactively or from the given answers.
 * @returns the exit code: 0 success; 1 failure; 2 answers are missing or invalid; 130 interrupted
 * @throws DsaSlurmError `usage` for invalid flags and answers, `files` if files cannot be written; then none was written
 */
export async function runInit(options: InitOptions): Promise<number> {
  const { env, profile, stdin, stdout, yes, json, printAnswers } = options;
  const presets = collectPresets({ ...options.answers, env });
  const isInteractive = !yes && !json && !printAnswers && stdin.isTTY === true && stdout.isTTY === true;
  if (!isInteractive && !yes && !printAnswers && !options.dryRun) {
    throw new DsaSlurmError(
      'usage',
      `${options.migration === null ? 'init' : 'migrate'} needs a terminal to ask questions. Use --yes to write files without asking, or --dry-run for a preview.`,
      {
        next: `For all flags, run: dsa-slurm ${options.migration === null ? 'init' : 'migrate from'} --help`,
      },
    );
  }
  const configDir = configDirectory(env);
  const store = openAnswerStore(configDir, profile);
  const run = createRunner({ env: slurmEnvironment(env, ['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS']) });
  const probes = openSiteProbes({ run });
  if (isInteractive)
    stdout.write(
      `dsa-slurm ${options.migration === null ? 'init' : 'migrate'}: sets up the profile "${profile}".\nInspecting this machine …`,
    );
  const [detected, saved, found] = await Promise.all([
    detect({ run, env, clock: systemClock, probes, signal: options.signal }),
    store.answers(),
    options.from === null ? null : importSite(options.from),
  ]);
  const imported = found === null || options.migration === null ? found : withNewSubmitScript(found);
  if (isInteractive) stdout.write('\r\u001B[2K');
  const known = inferBase(
    mergeDrafts(
      imported === null ? {} : ofRunningArchive(imported.answers, presets),
      answersOfProfile(configDir, profile),
      saved.draft,
      knownCaFiles(configDir, profile, env),
    ),
  );
  const context: InitContext = {
    ...options,
    run,
    probes,
    store,
    presets,
    known,
    accepted: saved.accepted,
    imported,
    detected,
  };
  if (printAnswers) {
    const { flow } = await answerUnattended({
      flow: startFlow(known),
      presets,
      detected,
      probes,
      generate: false,
      check: false,
    });
    stdout.write(answersFile(flow.draft, profile, detected));
    return 0;
  }
  if (!isInteractive) return runNonInteractive(context);
  // loading the prompts takes as long as everything else
  const { runInteractive } = await import('./flow/interactive.js');
  return runInteractive(context);
}

/**
 * The Python worker goes on using its batch script, so that a migration must not overwrite it: another one is proposed beside
 * the directory of the logs, which the compute nodes can read as well.
 */
function withNewSubmitScript(site: ImportedSite): ImportedSite {
  const { submitScript: _, ...dirs } = site.answers.dirs ?? {};
  const beside = dirs.logs ?? dirs.images;
  return {
    ...site,
    answers: {
      ...site.answers,
      dirs: beside === undefined ? dirs : { ...dirs, submitScript: join(dirname(beside), 'dsa-slurm.slurm') },
    },
  };
}

/** An archive whose files exist is not set up again, unless that is asked for (`--deploy`). */
function ofRunningArchive(answers: Draft, presets: PresetAnswers): Draft {
  return answers.deployment === undefined || presets.has('deployment.flavour')
    ? answers
    : { ...answers, deployment: null };
}

/** `girder.caFile` and `broker.caFile` of the profile or the environment. Problems with other settings do not matter here. */
function knownCaFiles(configDir: string, profile: string, env: InitOptions['env']): Draft {
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
