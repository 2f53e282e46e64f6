import { join } from 'node:path';
import { shellWord } from '../../base/text/shell-text.js';
import { siteDefaults } from '../../config/catalog.js';
import { unitName } from '../../config/paths.js';
import { readAnswer } from '../flow/partial-answers.js';
import type { PlannedFile, InitAnswers } from '../init-answers.js';
import { systemdArgument, systemdWord } from './quote.js';
import { readTemplate, render } from './render.js';

/** How to start a worker on this machine. */
export interface ServiceContext {
  configDir: string;
  /** Directory of the user's systemd units: `~/.config/systemd/user`. */
  unitDir: string;
  /** Name or number of the account that runs the worker. */
  user: string;
  /** Absolute path of the program `dsa-slurm`. */
  program: string;
  /** Variables that the worker needs from the operator's environment: `PATH`, `SLURM_CONF`, … No secrets. */
  environment: Readonly<Record<string, string>>;
}

/** templates/singularity.slurm with the site's defaults, for jobs that are submitted manually. */
export function submitScript({ dirs, slurm }: InitAnswers): PlannedFile {
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
    purpose: 'Batch script of all jobs.',
  };
}

/** A systemd unit of the user or of the system, or a script for machines without one. */
export function serviceFile({ profile, service, worker }: InitAnswers, place: ServiceContext): PlannedFile {
  const environment = Object.entries(place.environment)
    // a line break would end the line in the generated file
    .filter(([, value]) => !/\p{Cc}/u.test(value))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const suffix = profile === 'default' ? '' : `-${profile}`;
  switch (service) {
    case 'systemd':
    case 'system': {
      const unit = unitName(profile);
      const isSystem = service === 'system';
      // only root can write where systemd reads it
      const path = join(isSystem ? place.configDir : place.unitDir, unit);
      return {
        path,
        mode: 0o644,
        content: render(readTemplate('worker/dsa-slurm.service.tmpl'), {
          profile,
          start: (isSystem
            ? [
                `sudo install -m 0644 ${path} /etc/systemd/system/${unit}`,
                'sudo systemctl daemon-reload',
                `sudo systemctl enable --now ${unit}`,
                `journalctl -u ${unit} -f`,
              ]
            : [
                'systemctl --user daemon-reload',
                `systemctl --user enable --now ${unit}`,
                'loginctl enable-linger        so that it runs on when you log out',
                `journalctl --user -u ${unit} -f`,
              ]
          )
            .map((line) => `#   ${line}`)
            .join('\n'),
          program: systemdArgument(place.program),
          // no standby: jobs on this host end with it
          standby: worker.executor === 'local' ? '' : ' --standby',
          environment: [
            ...(isSystem ? [`User=${place.user}`] : []),
            ...environment.map(([name, value]) => `Environment=${systemdWord(`${name}=${value}`)}`),
          ].join('\n'),
          target: isSystem ? 'multi-user.target' : 'default.target',
        }),
        purpose: isSystem
          ? 'Systemd system unit that runs the worker; an administrator installs it.'
          : 'Systemd user unit that runs the worker.',
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
