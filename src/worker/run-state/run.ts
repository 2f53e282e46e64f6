import type { StagedAnalysis } from '../../girder/protocol/analysis.js';
import type { CreatedGirderJob } from '../../girder/jobs/create-job.js';
import type { PendingLogChunk } from '../../girder/jobs/log-chunk.js';
import type { PendingUpload } from '../../girder/transfer/upload-content.js';
import type { Task } from '../../celery/messages/task.js';
import type { JobUsage } from '../../slurm/exit-record.js';
import type { JobState } from '../../slurm/states.js';

/** The stages of a run, in order. */
export const stages = [
  'accepted',
  'staging',
  'submitting',
  'queued',
  'running',
  'collecting',
  'finished',
] as const;

export type Stage = (typeof stages)[number];

/** How a run can finish. */
export const outcomes = ['succeeded', 'failed', 'canceled'] as const;

export type Outcome = (typeof outcomes)[number];

/**
 * What requested a cancel. `termination`: Celery's revoke with `terminate` of a started run; `expiry`: the publisher's `expires`
 * has passed; `deletion`: the Girder job was deleted.
 */
export type CancelSource = 'girder' | 'operator' | 'celery' | 'termination' | 'expiry' | 'deletion';

/** What is submitted. Recorded before sbatch is called, so that the job can be found after a crash. */
export interface RecordedSubmission {
  /** The run's key, in the comment of the Slurm job. */
  key: string;
  /** The worker's mark, in the comment too; see `jobComment`. Missing in journals of older versions. */
  mark?: string;
  /** Output file of the batch job, and the file to which the batch script writes its exit record. */
  logFile: string;
  exitRecord: string;
  /** Separate files for streams of the container that do not go to the log. */
  streams?: { stdout?: string; stderr?: string };
  /** Command lines for display, with secrets masked. Missing in journals of older versions. */
  lines?: { sbatch: readonly string[] | null; container: readonly string[] };
  /** Requested partition, account and QOS. Missing in journals of older versions. */
  target?: string;
  /** When sbatch was called, in milliseconds. */
  at: number;
}

/** How a job ended, and the source of this information. */
export interface RecordedJobEnd {
  outcome: Outcome;
  state: JobState;
  exitCode: { code: number; signal: number } | null;
  /** Slurm's reason, or why the end is unknown; can be empty. */
  reason: string;
  /** `nobody` for a job that disappeared without a trace. */
  toldBy: 'squeue' | 'host' | 'scontrol' | 'sacct' | 'record' | 'nobody';
  /** What the job used. Missing if its exit record does not say so, and in journals of older versions. */
  usage?: JobUsage;
}

/** The state of one task in this worker. Plain data, changed only by {@link applyEvent}. */
export interface Run {
  readonly id: string;
  readonly stage: Stage;
  readonly stageSince: number;
  /** Its stages, oldest first, up to the present one; limited to the last ones. */
  readonly stages: readonly StageEntry[];
  readonly acceptedAt: number;
  readonly finishedAt: number | null;
  /**
   * The task as received. When the run finishes, headers and body are dropped because of their tokens; `retry-messages.ts` keeps
   * those of runs that can be retried.
   */
  readonly task: Task;
  /** Why the task cannot be run at all; such a run only reports this to Girder. */
  readonly refusal: string | null;
  readonly description: RunDescription;
  /** Null until the task was read. */
  readonly facts: RunFacts | null;
  readonly staged: StagedAnalysis | null;
  readonly submission: RecordedSubmission | null;
  readonly jobId: string | null;
  /** Slurm's latest reason why the job is pending, or why sbatch rejects it at present; for screens. */
  readonly waitingReason: string | null;
  /** Bytes of the log file that were sent to Girder. */
  readonly logOffset: number;
  /** Bytes sent of each stream that goes into the log. */
  readonly streamOffsets: StreamOffsets;
  /** The log chunk that is being sent; after a crash, Girder may have it or not. */
  readonly pieceOnItsWay: PendingLogChunk | null;
  /** Offset in the log at the end of this chunk; null if it has nothing of the log. */
  readonly logOnItsWay: number | null;
  /** Offsets in the streams at the end of this chunk. */
  readonly streamsOnItsWay: StreamOffsets;
  /** Why a stream of the container could not be delivered; such a run fails. */
  readonly brokenStream: string | null;
  readonly progress: RunProgress | null;
  /** Why Girder is unavailable at present. Missing in journals of older versions. */
  readonly girderProblem?: string | null;
  readonly cancel: { readonly at: number; readonly by: CancelSource } | null;
  readonly end: RecordedJobEnd | null;
  /** Keys of uploaded outputs. */
  readonly outputsDone: readonly string[];
  /** Uploads in progress, by the key of the output. */
  readonly outputsBegun: Readonly<Record<string, PendingUpload>>;
  /** Follow-up tasks that were published: places in the canvas, and their Girder jobs. */
  readonly followUps: FollowUpsDone;
  readonly outcome: Outcome | null;
  /** Why it failed or was canceled, for the user in Girder. */
  readonly reason: string | null;
  /** Id of the run that this one is a retry of. */
  readonly retryOf: string | null;
  /** The retry of this run. A run is retried only once; then its retry can be retried. */
  readonly retry: { readonly as: string; readonly begun: boolean } | null;
}

export interface FollowUpsDone {
  /** Places for which a Girder job was requested, or was about to be. Missing in journals of older versions. */
  readonly asked?: readonly string[];
  readonly girderJobs: Readonly<Record<string, CreatedGirderJob>>;
  /** Places that were published or permanently rejected. */
  readonly published: readonly string[];
}

/** What users recognize a run by. */
export interface RunDescription {
  readonly image: string;
  readonly cli: string;
  readonly title: string | null;
  readonly user: string | null;
  readonly girderJobId: string | null;
}

/** Inputs and outputs of a run for display: names, no secrets. */
export interface RunFacts {
  /** URL of the Girder job's page. */
  girderUrl: string | null;
  inputs: readonly RunFile[];
  outputs: readonly RunFile[];
  /** See `argumentsKey`: equal for runs with the same arguments but for the inputs. Missing in journals of older versions. */
  argumentsKey?: string;
}

export interface RunFile {
  kind: 'file' | 'folder' | 'item' | 'artifact' | 'stream';
  /** Its name if the task has one; otherwise its id. */
  name: string;
  /** Girder id of the file or folder, or of the destination; null if there is none. */
  girderId: string | null;
}

/** When a run entered a stage. */
export interface StageEntry {
  readonly stage: Stage;
  readonly at: number;
}

export interface RunProgress {
  readonly total: number | null;
  readonly current: number | null;
  readonly message: string | null;
}

/** Byte offsets by stream number. */
export type StreamOffsets = Readonly<Record<number, number>>;

/** Everything that happens to a run. `at` is milliseconds since the epoch. */
export type RunEvent =
  | { type: 'accepted'; at: number; task: Task; refusal: string | null; retryOf?: string }
  | { type: 'described'; at: number; description: Partial<RunDescription>; facts?: RunFacts }
  | { type: 'staging'; at: number }
  | { type: 'staged'; at: number; staged: StagedAnalysis }
  /** Intent: sbatch is about to be called. */
  | { type: 'submitting'; at: number; submission: RecordedSubmission }
  | { type: 'submitted'; at: number; jobId: string }
  /** The job is pending, possibly after a requeue; or sbatch rejects it at present. */
  | { type: 'waiting'; at: number; reason: string | null }
  | { type: 'started'; at: number }
  | { type: 'progress'; at: number; progress: RunProgress }
  /** Girder is unavailable, or is available again. */
  | { type: 'girder-problem'; at: number; problem: string | null }
  /** Intent: the log and streams up to these offsets are about to be sent. */
  | {
      type: 'log-sending';
      at: number;
      upTo: number | null;
      streams?: StreamOffsets;
      piece?: PendingLogChunk;
    }
  | { type: 'log-sent'; at: number; offset: number | null; streams?: StreamOffsets }
  /** Written only by older versions. */
  | { type: 'stream-read'; at: number; stream: number; offset: number }
  | { type: 'stream-broken'; at: number; reason: string }
  | { type: 'job-ended'; at: number; end: RecordedJobEnd }
  /** Intent: an output is about to be uploaded. */
  | { type: 'output-begun'; at: number; key: string; upload: PendingUpload }
  | { type: 'output-done'; at: number; key: string }
  | { type: 'cancel-requested'; at: number; by: CancelSource }
  /** The outcome is final; it must still be reported to Girder. */
  | { type: 'decided'; at: number; outcome: Outcome; reason: string | null }
  /** Intent: Girder is about to be asked for a job for a follow-up task. */
  | { type: 'follow-up-asked'; at: number; place: string }
  /** Girder has created it. */
  | { type: 'follow-up-job'; at: number; place: string; job: CreatedGirderJob }
  | { type: 'follow-up-published'; at: number; place: string }
  /** The outcome was reported to Girder, or cannot be, and why. */
  | { type: 'finished'; at: number; told: boolean; why?: string }
  /** Intent: it is about to be retried as the run with this id. */
  | { type: 'retrying'; at: number; as: string }
  /** That run is in the journal. */
  | { type: 'retried'; at: number }
  /** It was not retried after all. */
  | { type: 'retry-dropped'; at: number }
  /** The operator removed it from the history. */
  | { type: 'forgotten'; at: number };

export const noFollowUps: FollowUpsDone = { girderJobs: {}, published: [] };

/** The description before anything is known. */
const emptyDescription: RunDescription = { image: '', cli: '', title: null, user: null, girderJobId: null };

/** Creates a run from its `accepted` event. */
export function beginRun(event: Extract<RunEvent, { type: 'accepted' }>): Run {
  return {
    id: event.task.id,
    stage: 'accepted',
    stageSince: event.at,
    stages: [{ stage: 'accepted', at: event.at }],
    acceptedAt: event.at,
    finishedAt: null,
    task: event.task,
    refusal: event.refusal,
    description: emptyDescription,
    facts: null,
    staged: null,
    submission: null,
    jobId: null,
    waitingReason: null,
    logOffset: 0,
    streamOffsets: {},
    pieceOnItsWay: null,
    logOnItsWay: null,
    streamsOnItsWay: {},
    brokenStream: null,
    progress: null,
    cancel: null,
    end: null,
    outputsDone: [],
    outputsBegun: {},
    followUps: noFollowUps,
    outcome: null,
    reason: null,
    retryOf: event.retryOf ?? null,
    retry: null,
  };
}

/** Events that can happen to a finished run. */
const eventsAfterFinish: ReadonlySet<RunEvent['type']> = new Set([
  'described',
  'retrying',
  'retried',
  'retry-dropped',
]);

/** Unknown fields change nothing: a restarted worker keeps the title while Girder is unavailable. */
function known(description: Partial<RunDescription>): Partial<RunDescription> {
  return Object.fromEntries(Object.entries(description).filter(([, value]) => value !== null));
}

/**
 * Applies an event to a run. Pure and total: an event that no longer applies (a second cancel, most events after `finished`)
 * returns the same run.
 */
export function applyEvent(run: Run, event: RunEvent): Run {
  if (run.stage === 'finished' && !eventsAfterFinish.has(event.type)) return run;
  switch (event.type) {
    case 'accepted':
      return run;
    case 'described':
      return {
        ...run,
        description: { ...run.description, ...known(event.description) },
        facts: event.facts ?? run.facts,
      };
    case 'staging':
      // what an earlier attempt had staged is no longer trusted
      return inStage({ ...run, staged: null }, 'staging', event.at);
    case 'staged':
      return { ...run, staged: event.staged };
    case 'submitting':
      return inStage({ ...run, submission: event.submission }, 'submitting', event.at);
    case 'submitted':
      return inStage({ ...run, jobId: event.jobId, waitingReason: null }, 'queued', event.at);
    case 'waiting':
      // sbatch rejects it at present: there is no job yet
      if (run.stage === 'submitting') return { ...run, waitingReason: event.reason };
      if (run.stage === 'queued') {
        return run.waitingReason === event.reason ? run : { ...run, waitingReason: event.reason };
      }
      return inStage({ ...run, waitingReason: event.reason }, 'queued', event.at);
    case 'started':
      return run.stage === 'running' ? run : inStage({ ...run, waitingReason: null }, 'running', event.at);
    case 'progress':
      return { ...run, progress: event.progress };
    case 'girder-problem':
      return (run.girderProblem ?? null) === event.problem ? run : { ...run, girderProblem: event.problem };
    case 'log-sending':
      return {
        ...run,
        pieceOnItsWay: event.piece ?? null,
        logOnItsWay: event.upTo,
        streamsOnItsWay: event.streams ?? {},
      };
    case 'log-sent':
      return {
        ...run,
        logOffset: event.offset ?? run.logOffset,
        streamOffsets: { ...run.streamOffsets, ...event.streams },
        pieceOnItsWay: null,
        logOnItsWay: null,
        streamsOnItsWay: {},
      };
    case 'stream-read':
      return { ...run, streamOffsets: { ...run.streamOffsets, [event.stream]: event.offset } };
    case 'stream-broken':
      return run.brokenStream === null ? { ...run, brokenStream: event.reason } : run;
    case 'job-ended':
      return inStage({ ...run, end: event.end, waitingReason: null }, 'collecting', event.at);
    case 'output-begun':
      return { ...run, outputsBegun: { ...run.outputsBegun, [event.key]: event.upload } };
    case 'output-done': {
      if (run.outputsDone.includes(event.key)) return run;
      const { [event.key]: _, ...outputsBegun } = run.outputsBegun;
      return { ...run, outputsDone: [...run.outputsDone, event.key], outputsBegun };
    }
    case 'cancel-requested':
      return run.cancel === null && run.outcome === null
        ? { ...run, cancel: { at: event.at, by: event.by } }
        : run;
    case 'decided':
      return run.outcome === null ? { ...run, outcome: event.outcome, reason: event.reason } : run;
    case 'follow-up-asked':
      return {
        ...run,
        followUps: { ...run.followUps, asked: [...(run.followUps.asked ?? []), event.place] },
      };
    case 'follow-up-job':
      return {
        ...run,
        followUps: {
          ...run.followUps,
          girderJobs: { ...run.followUps.girderJobs, [event.place]: event.job },
        },
      };
    case 'follow-up-published':
      return {
        ...run,
        followUps: { ...run.followUps, published: [...run.followUps.published, event.place] },
      };
    case 'finished':
      return {
        ...inStage(run, 'finished', event.at),
        finishedAt: event.at,
        girderProblem: null,
        reason: event.why === undefined ? run.reason : withReportFailure(run.reason, event.why),
        staged: null,
        followUps: noFollowUps,
        task: { ...run.task, headers: {}, body: '' },
      };
    case 'retrying':
      return { ...run, retry: { as: event.as, begun: false } };
    case 'retried':
      return run.retry === null ? run : { ...run, retry: { ...run.retry, begun: true } };
    case 'retry-dropped':
      return { ...run, retry: null };
    // the run store removes it
    case 'forgotten':
      return run;
  }
}

function withReportFailure(reason: string | null, why: string): string {
  return `${reason === null ? '' : `${reason}\n`}The outcome could not be reported to Girder: ${why}`;
}

/** Maximum number of stages in the history of a run, which could be requeued again and again. */
const maxStages = 40;

function inStage(run: Run, stage: Stage, at: number): Run {
  return { ...run, stage, stageSince: at, stages: [...run.stages, { stage, at }].slice(-maxStages) };
}
