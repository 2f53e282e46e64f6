import type { StagedBind } from '../../girder/protocol/analysis.js';
import type { MessageDump } from '../../girder/pickle/decoder-dump.js';
import type { Resource } from '../job-request/resources.js';
import type { DryRunInput } from './dry-run-staging.js';

/** What this worker would do with a message. Plain data, as `--json` prints it. */
export interface Explanation {
  /** `handedOn`: forwarded to `broker.forwardQueue`; `answered`: the doctor's ping, which is not a run. */
  verdict: 'run' | 'refused' | 'handedOn' | 'answered';
  /** All reasons to refuse it that can be known without Girder. Empty for the other verdicts. */
  reasons: Reason[];
  /** Sentences about what may be unexpected. */
  notes: string[];
  /** Null if the message is not a Celery task. */
  task: ExplainedTask | null;
  /** The whole message in the contract's equality format; null if it cannot be decoded. */
  decoded: MessageDump | null;
  /** The Girder job that it reports to; null if there is none. */
  girderJob: { id: string; url: string } | null;
  image: ExplainedImage | null;
  inputs: readonly DryRunInput[];
  streams: ExplainedStream[];
  binds: readonly StagedBind[];
  container: ExplainedContainer | null;
  resources: readonly Resource[];
  /** The rule of `slurm.rules` that matches, counted from 1; null if there is none. */
  rule: number | null;
  /** `apptainer exec …`, as the batch script runs it. */
  apptainer: string[] | null;
  /** The argument vector of sbatch; null with the executor `local`. */
  sbatch: string[] | null;
  hooks: ExplainedHook[];
  followUps: ExplainedFollowUp[];
}

export interface Reason {
  /** `message`, `image`, `slurm`, …: the code of the error with which the run would fail. */
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
  /** Path of its file; null for a name that has no valid file name. */
  sif: string | null;
  present: boolean;
}

export interface ExplainedContainer {
  workingDirectory: string;
  /** Entry point and arguments. */
  command: readonly string[];
  /** The task's own arguments, without those for sbatch. */
  arguments: readonly string[];
  /** Names only, because values can be secrets. */
  environment: string[];
  gpu: boolean;
  /** The command is passed in a file, because it has a token that process lists would show. */
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

export interface ExplainedFollowUp {
  when: 'on success' | 'on failure' | 'next in chain' | 'chord';
  task: string;
  id: string | null;
}
