import type { StagedBind } from '../../girder/protocol/analysis.js';
import type { MessageDump } from '../../girder/pickle/decoder-dump.js';
import type { Resource } from '../job-request/resources.js';
import type { DryRunInput } from './dry-run-staging.js';

/** What this worker would do with a message. Plain data; `--json` prints it as it is. */
export interface Explanation {
  /** `handedOn`: it goes to the queue of `broker.forwardQueue`; `answered`: it is the doctor's question and no run. */
  verdict: 'run' | 'refused' | 'handedOn' | 'answered';
  /** Why it would not be run: all that can be told from here. Empty for the other verdicts. */
  reasons: Reason[];
  /** Whole sentences about what would be done otherwise than one may expect. */
  notes: string[];
  /** Null where the message is no Celery task. */
  task: ExplainedTask | null;
  /** The whole message in the contract's equality format; null where it cannot be decoded. */
  decoded: MessageDump | null;
  /** What the task reports to; null: to nobody. */
  girderJob: { id: string; url: string } | null;
  image: ExplainedImage | null;
  inputs: readonly DryRunInput[];
  streams: ExplainedStream[];
  binds: readonly StagedBind[];
  container: ExplainedContainer | null;
  resources: readonly Resource[];
  /** The rule of `slurm.rules` that matches, counted from 1; null: none. */
  rule: number | null;
  /** `apptainer exec …` as the batch script runs it. */
  apptainer: string[] | null;
  /** The argument vector of sbatch; null with the executor `local`. */
  sbatch: string[] | null;
  hooks: ExplainedHook[];
  followUps: FollowUp[];
}

export interface Reason {
  /** `message`, `image`, `slurm`, …: the code of the error that the run would fail with. */
  about: string;
  message: string;
  next: string | null;
}

export interface ExplainedTask {
  id: string;
  name: string;
  queue: string;
  eta: string | null;
  expires: string | null;
  retries: number;
  priority: number | null;
  ignoreResult: boolean;
  replyTo: string | null;
  rootId: string | null;
  parentId: string | null;
}

export interface ExplainedImage {
  name: string;
  /** Path of its file; null for a name that no file can have. */
  sif: string | null;
  present: boolean;
}

export interface ExplainedContainer {
  workingDirectory: string;
  /** Entry point and arguments. */
  command: readonly string[];
  /** The task's own arguments, without those for sbatch. */
  arguments: readonly string[];
  /** Names only: values are the publisher's own. */
  environment: string[];
  gpu: boolean;
  /** The command goes through a file, so that no process list shows its token. */
  commandInFile: boolean;
}

export interface ExplainedStream {
  kind: 'input' | 'output' | 'progress' | 'container';
  /** Path of the pipe in the container, or the container's own stream. */
  stream: string;
  goesTo: string;
}

export interface ExplainedHook {
  kind: 'uploadToFolder' | 'uploadToItem' | 'jobArtifact';
  /** Name below its volume. */
  filename: string;
  goesTo: string;
  options: readonly string[];
}

export interface FollowUp {
  when: 'on success' | 'on failure' | 'next in chain' | 'chord';
  task: string;
  id: string | null;
}
