import { join } from 'node:path';

import { sifFileName } from '../../apptainer/image-name.js';
import type { Apptainer, ImageFacts } from '../../apptainer/inspect.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import type { Settings } from '../../config/schema.js';
import { submitArguments } from '../../slurm/commands/sbatch.js';
import type { GirderSlurmSettings } from '../job-request/girder-slurm-settings.js';
import { planJob } from '../job-request/plan.js';
import type { Resource } from '../job-request/resources.js';
import type { SubmitScript } from '../job-request/submit-script.js';
import { noResources, unreadImage } from './explain.js';
import { commandLines, pairs, printable, resourceLines, wrapped } from './render.js';

/** What a run of an image would request from Slurm. Plain data, as `--json` prints it. */
export interface ImageExplanation {
  image: string;
  cli: string;
  sif: string | null;
  /** Whether the file of the image was inspected. */
  inspected: boolean;
  gpu: boolean;
  rule: number | null;
  resources: readonly Resource[];
  sbatch: string[] | null;
  apptainer: string[] | null;
  notes: string[];
}

export interface ImageQuestion {
  image: string;
  /** Empty if no CLI is given. */
  cli: string;
  /** Whether to assume that the task requests a GPU. */
  gpu: boolean;
  settings: Settings;
  submitScript: SubmitScript;
  apptainer: Apptainer;
  girder: GirderSlurmSettings | null;
}

/** Explains the effect of the settings on an image and a CLI. Inspects the image's file if it exists. */
export async function explainImage(question: ImageQuestion): Promise<ImageExplanation> {
  const { image, cli, settings, submitScript, girder } = question;
  const notes: string[] = [];
  const file = sifFileName(image);
  const sif = settings.dirs.images === null ? null : join(settings.dirs.images, file);
  const facts = sif === null ? null : await inspected(question, sif, notes);
  if (sif === null) notes.push('dirs.images is not set, so the file of the image is not inspected.');
  const own = join(settings.dirs.tmp, 'dsa-slurm-<task-id>');
  const plan = planJob({
    runId: 'TASK-ID',
    analysis: {
      image,
      entrypoint: null,
      environment: {},
      gpu: question.gpu,
      args: cli === '' ? [] : [{ kind: 'text', text: cli }],
      streams: [],
    },
    staged: {
      args: [...(cli === '' ? [] : [cli]), '<arguments>'],
      argsHoldToken: false,
      binds: [{ host: join(own, 'default'), container: '/mnt/girder_worker/<volume>', mode: 'rw' }],
      ownDirectories: [own],
    },
    sif: sif ?? join('/<dirs.images>', file),
    facts: facts ?? unreadImage,
    settings,
    logsDir: settings.dirs.logs ?? '/<dirs.logs>',
    submitScript,
    girder,
  });
  notes.push(...plan.refusals.map(errorLine));
  const { job, rule, gpu } = plan;
  const isSlurm = settings.worker.executor === 'slurm';
  if (!isSlurm) notes.push('The executor is local: runs use this host, without Slurm.', ...noResources(plan));
  return {
    image,
    cli,
    sif,
    inspected: facts !== null,
    gpu,
    rule,
    resources: isSlurm ? plan.resources : [],
    notes,
    sbatch: job === null || !isSlurm ? null : ['sbatch', ...submitArguments(job.request)],
    apptainer: job === null ? null : [settings.apptainer.command, 'exec', ...job.exec, ...job.command],
  };
}

async function inspected(
  { image, apptainer }: ImageQuestion,
  sif: string,
  notes: string[],
): Promise<ImageFacts | null> {
  try {
    return await apptainer.inspect(image, sif);
  } catch (error) {
    if (!(error instanceof DsaSlurmError)) throw error;
    notes.push(errorLine(error));
    return null;
  }
}

/** The explanation as text of 80 columns. */
export function renderImageExplanation(told: ImageExplanation): string {
  const { image, cli, gpu, rule, inspected: isKnown } = told;
  const lines = [
    ...pairs([
      ['image', image],
      ['CLI', cli || null],
      ['file', told.sif === null ? null : `${told.sif}${isKnown ? '' : ' (not read)'}`],
      ['GPU', gpu ? 'yes' : isKnown ? 'no' : 'no, unless the image wants one'],
      ['rule', rule === null ? 'none matches' : `${rule} of slurm.rules`],
    ]),
  ];
  const section = (title: string, content: readonly string[]): void => {
    if (content.length > 0) lines.push('', title, ...content.map(printable));
  };
  const asSlurmSays = told.sbatch === null ? [] : ['  as Slurm or the submit script decides'];
  section('Resources', told.resources.length === 0 ? asSlurmSays : resourceLines(told.resources));
  section('sbatch', commandLines(told.sbatch));
  section('apptainer', commandLines(told.apptainer));
  section(
    'Notes',
    told.notes.flatMap((note) => wrapped(note, '- ', '  ')),
  );
  return lines.join('\n');
}
