import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { split } from './common.js';
import type { Bind, ExecOptions } from './exec-options.js';
import type { Image } from './image.js';

/** Container path of the Node.js that runs this program. */
export const nodeDirectory = '/opt/sandbox-node';

/** The file of a SIF that sets the environment of an OCI image. */
const imageEnvironmentFile = '/.singularity.d/env/10-docker2singularity.sh';

export function containerEnv(
  image: Image,
  binds: readonly Bind[],
  { env, cleanEnv, evaluate, home }: ExecOptions,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value = ''] of Object.entries(cleanEnv ? {} : process.env)) {
    if (!/^(APPTAINER|SINGULARITY)(ENV)?_/.test(name)) result[name] = value;
  }
  if (!binds.some(({ target }) => target === imageEnvironmentFile)) Object.assign(result, imageEnv(image));
  for (const [name, value = ''] of Object.entries(process.env)) {
    const inner = /^(?:APPTAINER|SINGULARITY)ENV_(.+)$/.exec(name)?.[1];
    if (inner === undefined) continue;
    if (inner === 'HOME') {
      process.stderr.write(
        'WARNING: Overriding HOME environment variable with APPTAINERENV_HOME is not permitted\n',
      );
    } else result[inner] = evaluate ? evaluated(value) : value;
  }
  return {
    ...result,
    ...env,
    HOME: home ?? homedir(),
    PATH: `${nodeDirectory}:${result['PATH'] ?? '/usr/bin:/bin'}`,
    APPTAINER_NAME: 'fake',
  };
}

/** `Env` of an OCI image as the shell script in a SIF sets it, including the quoting bugs of Apptainer 1.4.5. */
function imageEnv({ config: { Env = [] } }: Image): Record<string, string> {
  if (Env.some((pair) => pair.includes('`'))) {
    process.stderr.write(`source: ${imageEnvironmentFile}:4:57: reached EOF without closing quote\n`);
    return {};
  }
  return Object.fromEntries(
    Env.map((pair) => {
      const [name, value = ''] = split(pair, '=');
      const broken = value
        .replaceAll('"', '\\"')
        .replaceAll(/\$(\w+)/g, (_all, variable: string) => `\\${process.env[variable] ?? ''}`);
      return [name, broken];
    }),
  );
}

/** The value after evaluation by a shell in double quotes, with its own quotes kept. */
function evaluated(value: string): string {
  const script = `printf %s "${value.replaceAll('"', '\\"')}"`;
  const shell = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
  return shell.status === 0 ? shell.stdout : value;
}
