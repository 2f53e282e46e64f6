import type { StagedAnalysis } from '../../girder/protocol/analysis.js';
import type { CreatedGirderJob } from '../../girder/jobs/create-job.js';
import type { PendingLogChunk } from '../../girder/jobs/log-chunk.js';
import type { PendingUpload } from '../../girder/transfer/upload-content.js';
import type { Task } from '../../celery/messages/task.js';
import type { JobState } from '../../slurm/states.js';

/** Where a run is. */
export type Stage = 'accepted' | 'staging' | 'submitting' | 'queued' | 'running' | 'collecting' | 'finished';

/** How a run finished. */
export type Outcome = 'succeeded' | 'failed' | 'canceled';

/**
 * Who asked for a cancel. `termination` is Celery's revoke with `terminate` of a run that had begun; `expiry` is the
 * publisher's `expires`, which had passed; `deletion`: the Girder job is gone.
 */
export type CancelSource = 'girder' | 'operator' | 'celery' | 'termination' | 'expiry' | 'deletion';

/** What was handed to sbatch, written down before sbatch is called, so that a crash leaves something to look up. */
export interface Submission {
  /** The run's key, which the Slurm job carries. */
  key: string;
  /** The mark that its jobs carry too; see `jobComment`. Journals of older versions do not have it. */
  mark?: string;
  /** Where the batch job writes its output, and where our batch script writes its exit record. */
  logFile: string;
  exitRecord: string;
  /** Files of their own for streams of the container that are connected somewhere else than to the log. */
  streams?: { stdout?: string; stderr?: string };
  /** What was run, for people: free of secrets. Journals of older versions do not have it. */
  lines?: { sbatch: readonly string[] | null; container: readonly string[] };
  /** Partition, account and QOS that the job asks for. Journals of older versions do not have it. */
  target?: string;
  /** When sbatch was called, in milliseconds. */
  at: number;
}

/** How a Slurm job ended, and who said so. */
export interface JobEnd {
  outcome: Outcome;
  state: JobState;
  exitCode: { code: number; signal: number } | null;
  /** Slurm's reason, or why nobody knows; empty for none. */
  reason: string;
  /** `nobody` when a job has vanished without a trace. */
  toldBy: 'squeue' | 'host' | 'scontrol' | 'sacct' | 'record' | 'nobody';
}

/** The life of one task here. Plain data; changed only by {@link applyEvent}. */
export interface Run {
  readonly id: string;
  readonly stage: Stage;
  readonly stageSince: number;
  /** The stages that it came through, oldest first, the present one last; of very many, the last ones. */
  readonly stages: readonly StageEntry[];
  readonly acceptedAt: number;
  readonly finishedAt: number | null;
  /**
   * The task as it came. Once the run is finished its headers and body, and with them all tokens, are gone from here;
   * `kept-messages.ts` has those of runs that may be run again.
   */
  readonly task: Task;
  /** Why the task cannot be run at all; such a run only has to tell Girder so. */
  readonly refusal: string | null;
  readonly description: RunDescription;
  /** Null until the task was read. */
  readonly facts: RunFacts | null;
  readonly staged: StagedAnalysis | null;
  readonly submission: Submission | null;
  readonly jobId: string | null;
  /** Slurm's latest reason why the job waits, or why sbatch refuses it at present; for screens. */
  readonly waitingReason: string | null;
  /** Bytes of the log file that Girder has. */
  readonly logOffset: number;
  /** The same of streams that go into the log, by their number. */
  readonly streamOffsets: StreamOffsets;
  /** The piece that was being sent when this was written; Girder may have it or not. */
  readonly pieceOnItsWay: PendingLogChunk | null;
  /** Where that piece ends in the log; null if it has nothing of it. */
  readonly logOnItsWay: number | null;
  /** Where it ends in the streams that it has something of. */
  readonly streamsOnItsWay: StreamOffsets;
  /** Why a stream of the container could not be delivered; such a run fails. */
  readonly brokenStream: string | null;
  readonly progress: RunProgress | null;
  /** Why Girder cannot be asked or told at present. Journals of older versions do not have it. */
  readonly girderTrouble?: string | null;
  readonly cancel: { readonly at: number; readonly by: CancelSource } | null;
  readonly end: JobEnd | null;
  /** Outputs that are uploaded already, by their key. */
  readonly outputsDone: readonly string[];
  /** Uploads of outputs that are under way, by the key of the output. */
  readonly outputsBegun: Readonly<Record<string, PendingUpload>>;
  /** What was published after the task: places in its canvas, and the Girder jobs that were made for them. */
  readonly followUps: FollowUpsDone;
  readonly outcome: Outcome | null;
  /** Why it failed or was canceled, for the slide's owner. */
  readonly reason: string | null;
  /** The run that this one runs again. */
  readonly retryOf: string | null;
  /** The run that runs this one again. A run is run again once; the next time, that one is. */
  readonly retry: { readonly as: string; readonly begun: boolean } | null;
}

export interface FollowUpsDone {
  /** Girder was asked for a job, or was about to be. Older versions did not write it down. */
  readonly asked?: readonly string[];
  readonly girderJobs: Readonly<Record<string, CreatedGirderJob>>;
  /** Published, or refused for good. */
  readonly published: readonly string[];
}

/** What people recognise a run by. */
export interface RunDescription {
  readonly image: string;
  readonly cli: string;
  readonly title: string | null;
  readonly user: string | null;
  readonly girderJobId: string | null;
}

/** What goes into a run and what comes out of it, for people: names, and no secret. */
export interface RunFacts {
  /** The Girder job's page. */
  girderUrl: string | null;
  inputs: readonly RunFile[];
  outputs: readonly RunFile[];
}

export interface RunFile {
  kind: 'file' | 'folder' | 'item' | 'artifact' | 'stream';
  /** Its name, where the task says one; else its id. */
  name: string;
  /** Girder's id of the file or folder, or of where it goes; null where there is none. */
  girderId: string | null;
}

/** When a run came into a stage. */
export interface StageEntry {
  readonly stage: Stage;
  readonly at: number;
}

export interface RunProgress {
  readonly total: number | null;
  readonly current: number | null;
  readonly message: string | null;
}

/** Bytes, by the number of the stream. */
export type StreamOffsets = Readonly<Record<number, number>>;

/** Everything that happens to a run. `at` is milliseconds since the epoch. */
export type RunEvent =
  | { type: 'accepted'; at: number; task: Task; refusal: string | null; retryOf?: string }
  | { type: 'described'; at: number; description: Partial<RunDescription>; facts?: RunFacts }
  | { type: 'staging'; at: number }
  | { type: 'staged'; at: number; staged: StagedAnalysis }
  /** Intent: sbatch is about to be called. */
  | { type: 'submitting'; at: number; submission: Submission }
  | { type: 'submitted'; at: number; jobId: string }
  /** The job waits, for the first time or again after a requeue; or sbatch refuses it at present. */
  | { type: 'waiting'; at: number; reason: string | null }
  | { type: 'started'; at: number }
  | { type: 'progress'; at: number; progress: RunProgress }
  /** Girder is away or ill, or answers again. */
  | { type: 'girder-trouble'; at: number; trouble: string | null }
  /** Intent: the log and streams up to here are about to be sent. */
  | {
      type: 'log-sending';
      at: number;
      upTo: number | null;
      streams?: StreamOffsets;
      piece?: PendingLogChunk;
    }
  | { type: 'log-sent'; at: number; offset: number | null; streams?: StreamOffsets }
  /** Only older versions write this. */
  | { type: 'stream-read'; at: number; stream: number; offset: number }
  | { type: 'stream-broken'; at: number; reason: string }
  | { type: 'job-ended'; at: number; end: JobEnd }
  /** Intent: this upload is about to make an output visible in Girder. */
  | { type: 'output-begun'; at: number; key: string; upload: PendingUpload }
  | { type: 'output-done'; at: number; key: string }
  | { type: 'cancel-requested'; at: number; by: CancelSource }
  /** The outcome is certain; Girder has still to be told. */
  | { type: 'decided'; at: number; outcome: Outcome; reason: string | null }
  /** Intent: Girder is about to make a job for a task that is to be published after this one. */
  | { type: 'follow-up-asked'; at: number; place: string }
  /** It has made it. */
  | { type: 'follow-up-job'; at: number; place: string; job: CreatedGirderJob }
  | { type: 'follow-up-published'; at: number; place: string }
  /** Girder was told, or will never be, and why. Nothing follows. */
  | { type: 'finished'; at: number; told: boolean; why?: string }
  /** Intent: it is about to be run again, as the run of this id. */
  | { type: 'retrying'; at: number; as: string }
  /** That run is in the journal. */
  | { type: 'retried'; at: number }
  /** It was not run again after all. */
  | { type: 'retry-dropped'; at: number }
  /** The operator wants nothing more to be known of it. */
  | { type: 'forgotten'; at: number };

export const nothingFollowed: FollowUpsDone = { girderJobs: {}, published: [] };

/** Shown instead of words that are not known yet. */
const nothingKnown: RunDescription = { image: '', cli: '', title: null, user: null, girderJobId: null };

/** The run that an `accepted` event begins. */
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
    description: nothingKnown,
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
    followUps: nothingFollowed,
    outcome: null,
    reason: null,
    retryOf: event.retryOf ?? null,
    retry: null,
  };
}

/** What may happen to a run that is finished. */
const afterTheEnd: ReadonlySet<RunEvent['type']> = new Set([
  'described',
  'retrying',
  'retried',
  'retry-dropped',
]);

/** What is not known is no news: a worker that starts again, and finds Girder away, forgets no title. */
function known(description: Partial<RunDescription>): Partial<RunDescription> {
  return Object.fromEntries(Object.entries(description).filter(([, value]) => value !== null));
}

/**
 * A run after an event. Pure, and total: an event that makes no sense any more (a second cancel, anything after
 * `finished`) gives the same run back.
 */
export function applyEvent(run: Run, event: RunEvent): Run {
  if (run.stage === 'finished' && !afterTheEnd.has(event.type)) return run;
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
      // what an earlier attempt had staged is not trusted any more
      return inStage({ ...run, staged: null }, 'staging', event.at);
    case 'staged':
      return { ...run, staged: event.staged };
    case 'submitting':
      return inStage({ ...run, submission: event.submission }, 'submitting', event.at);
    case 'submitted':
      return inStage({ ...run, jobId: event.jobId, waitingReason: null }, 'queued', event.at);
    case 'waiting':
      // sbatch refused it for the time being: there is no job yet
      if (run.stage === 'submitting') return { ...run, waitingReason: event.reason };
      if (run.stage === 'queued') {
        return run.waitingReason === event.reason ? run : { ...run, waitingReason: event.reason };
      }
      return inStage({ ...run, waitingReason: event.reason }, 'queued', event.at);
    case 'started':
      return run.stage === 'running' ? run : inStage({ ...run, waitingReason: null }, 'running', event.at);
    case 'progress':
      return { ...run, progress: event.progress };
    case 'girder-trouble':
      return (run.girderTrouble ?? null) === event.trouble ? run : { ...run, girderTrouble: event.trouble };
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
        girderTrouble: null,
        reason: event.why === undefined ? run.reason : untold(run.reason, event.why),
        staged: null,
        followUps: nothingFollowed,
        task: { ...run.task, headers: {}, body: '' },
      };
    case 'retrying':
      return { ...run, retry: { as: event.as, begun: false } };
    case 'retried':
      return run.retry === null ? run : { ...run, retry: { ...run.retry, begun: true } };
    case 'retry-dropped':
      return { ...run, retry: null };
    // it is taken out of the run store, not changed
    case 'forgotten':
      return run;
  }
}

function untold(reason: string | null, why: string): string {
  return `${reason === null ? '' : `${reason}\n`}Girder could not be told how it ended: ${why}`;
}

/** Entries in the history of a run. One that is requeued for ever has a bounded one too. */
const stagesKept = 40;

function inStage(run: Run, stage: Stage, at: number): Run {
  return { ...run, stage, stageSince: at, stages: [...run.stages, { stage, at }].slice(-stagesKept) };
}
