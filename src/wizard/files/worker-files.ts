import { join } from 'node:path';
import { shellWord } from '../../base/shell-text.js';
import { siteDefaults } from '../../config/catalog.js';
import { unitName } from '../../config/paths.js';
import { readAnswer } from '../flow/partial-answers.js';
import type { PlannedFile, SiteAnswers } from '../init-answers.js';
import { systemdArgument, systemdWord } from './quote.js';
import { readTemplate, render } from './render.js';

/** How a worker is to be started on this machine. */
export interface ServicePlace {
  configDir: string;
  /** Where systemd looks for units of this user: `~/.config/systemd/user`. */
  unitDir: string;
  /** Absolute path of the program `dsa-slurm`. */
  program: string;
  /** What the worker needs of the operator's environment: `PATH`, `SLURM_CONF`, … No secrets. */
  environment: Readonly<Record<string, string>>;
}

/** templates/singularity.slurm, with the site's defaults for jobs that somebody submits by hand. */
export function submitScript({ dirs, slurm }: SiteAnswers): PlannedFile {
  const lines = readTemplate('singularity.slurm').split('\n');
  for (const { setting, option } of siteDefaults) {
    const value = readAnswer({ slurm }, setting.key);
    if (value === null || value === undefined) continue;
    const line = `#SBATCH --${option}=${value}`;
    const example = lines.findIndex((candidate) => candidate.startsWith(`##SBATCH --${option}=`));
    if (example === -1)
      lines.splice(
        lines.findIndex((candidate) => /^#+SBATCH /.test(candidate)),
        0,
        line,
      );
    else lines[example] = line;
  }
  return {
    path: dirs.submitScript,
    mode: 0o755,
    content: lines.join('\n'),
    purpose: 'The batch script of every job.',
  };
}

/** A systemd user unit, or a script for machines without systemd. */
export function serviceFile({ profile, service, worker }: SiteAnswers, place: ServicePlace): PlannedFile {
  const environment = Object.entries(place.environment)
    // what is not one line of text would break out of its line
    .filter(([, value]) => !/\p{Cc}/u.test(value))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const suffix = profile === 'default' ? '' : `-${profile}`;
  switch (service) {
    case 'systemd': {
      const unit = unitName(profile);
      return {
        path: join(place.unitDir, unit),
        mode: 0o644,
        content: render(readTemplate('worker/dsa-slurm.service.tmpl'), {
          profile,
          unit,
          program: systemdArgument(place.program),
          // jobs of this host end with it: nobody could take them over
          standby: worker.executor === 'local' ? '' : ' --standby',
          environment: environment
            .map(([name, value]) => `Environment=${systemdWord(`${name}=${value}`)}`)
            .join('\n'),
        }),
        purpose: 'Keeps the worker running: a systemd unit of your own.',
      };
    }
    case 'script': {
      const path = join(place.configDir, `run${suffix}.sh`);
      return {
        path,
        mode: 0o755,
        content: render(readTemplate('worker/run.sh.tmpl'), {
          profile,
          self: shellWord(path),
          program: shellWord(place.program),
          environment: environment.map(([name, value]) => `export ${name}=${shellWord(value)}`).join('\n'),
        }),
        purpose: 'Starts the worker.',
      };
    }
  }
}
