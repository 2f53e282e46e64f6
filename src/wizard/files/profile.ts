import { DsaSlurmError } from '../../base/errors.js';
import { checkValue, findSetting, profilePath } from '../../config/index.js';
import type { PlannedFile, SiteAnswers } from '../init-answers.js';
import { brokerUrl } from './addresses.js';

/**
 * The profile's file, as `saveSettings` would write it: settings that the wizard does not ask for stay.
 * @param before what the file holds; null if it is not there
 * @throws DsaSlurmError `config` if that is no JSON object, `usage` for a value that the setting's type refuses
 */
export function profileFile(answers: SiteAnswers, configDir: string, before: string | null): PlannedFile {
  const path = profilePath(configDir, answers.profile);
  const content = before === null ? {} : readContent(before, path);
  const problems: string[] = [];
  for (const [key, value] of settingsOf(answers)) {
    const [group = '', name = ''] = key.split('.');
    const members = { ...(content[group] as Record<string, unknown> | undefined) };
    const setting = findSetting(key);
    if (setting === undefined) throw new Error(`${key} is not a setting`);
    const checked = value === undefined ? { ok: true as const, value } : checkValue(setting, value);
    if (!checked.ok) problems.push(...checked.complaints.map((complaint) => `${key} ${complaint}.`));
    else if (checked.value === undefined) delete members[name];
    else members[name] = checked.value;
    if (Object.keys(members).length > 0) content[group] = members;
    else delete content[group];
  }
  if (problems.length > 0) {
    throw new DsaSlurmError('usage', `No profile can be made from these answers: ${problems.join(' ')}`, {
      next: 'Change the answers, and try again.',
    });
  }
  return {
    path,
    mode: 0o600,
    content: `${JSON.stringify(content, null, 2)}\n`,
    purpose: 'Settings of the worker, with the password of RabbitMQ and what the doctor needs.',
    merged: true,
  };
}

/** Undefined: back to the default. */
function settingsOf({
  worker,
  broker,
  dirs,
  slurm,
  apptainer,
  girder,
  mongo,
}: SiteAnswers): [string, unknown][] {
  return [
    // what is the default need not be said
    ['worker.executor', worker.executor === 'local' ? 'local' : undefined],
    ['worker.localJobs', worker.localJobs ?? undefined],
    ['broker.url', brokerUrl(broker)],
    ['broker.caFile', broker.caFile ?? undefined],
    ['dirs.tmp', dirs.tmp],
    ['dirs.logs', dirs.logs],
    ['dirs.images', dirs.images],
    ['slurm.submitScript', dirs.submitScript],
    ['slurm.mountPrefix', slurm.mountPrefix ?? undefined],
    ['slurm.partition', slurm.partition ?? undefined],
    ['slurm.account', slurm.account ?? undefined],
    ['slurm.qos', slurm.qos ?? undefined],
    ['slurm.time', slurm.time ?? undefined],
    ['slurm.mem', slurm.mem ?? undefined],
    ['slurm.cpus', slurm.cpus ?? undefined],
    ['slurm.gpuPartition', slurm.gpuPartition ?? undefined],
    ['slurm.gpuGres', slurm.gpuGres ?? undefined],
    ['apptainer.command', apptainer.command],
    ['girder.apiUrl', girder.apiUrl],
    ['girder.caFile', girder.caFile ?? undefined],
    ['girder.directPaths', girder.directPaths],
    // for the doctor, which looks at Girder's side of the way too
    ['girder.apiKey', girder.apiKey ?? undefined],
    ['mongo.uri', mongo.uri ?? undefined],
  ];
}

function readContent(text: string, path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    // said below; the parser's own words would quote the text around the fault, which may be a password
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new DsaSlurmError('config', `${path} does not hold a JSON object.`, {
      next: 'Correct it, or move it away and start anew; dsa-slurm does not change it as it is.',
    });
  }
  const groups = content as Record<string, unknown>;
  for (const [group, members] of Object.entries(groups)) {
    if (group !== '$schema' && (typeof members !== 'object' || members === null || Array.isArray(members))) {
      throw new DsaSlurmError('config', `${group} in ${path} must be an object that holds settings.`, {
        next: 'Correct it, or move the file away and start anew.',
      });
    }
  }
  return groups;
}
