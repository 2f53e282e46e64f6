import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { jobStatus } from '../../src/sandbox/fake-girder/rules.js';
import { analysisMessage, type ProducedMessage } from '../../src/sandbox/producer/message.js';
import { chaosImageName, expectedOutputs, inputText, workArguments } from './image.js';
import type { PlannedRun } from './plan.js';
import type { ChaosSite } from './site.js';

/** A published run. */
export interface ChaosRun {
  planned: PlannedRun;
  taskId: string;
  girderJobId: string;
  resultFolderId: string;
  /** It was canceled in Girder. */
  isCanceledByUser: boolean;
}

/** The analyses of a chaos batch, published a few at a time. */
export interface ChaosBatch {
  /** All runs whose publishing has started. */
  runs(): readonly ChaosRun[];
  /** Published, and not final in Girder. */
  unfinished(): number;
  /** Publishes in the background until `count` are published, with at most `atOnce` unfinished. */
  publishUpTo(count: number, atOnce: number): void;
  /** Cancels one that is running, whatever its plan. */
  cancelOne(): void;
  /** Resolves when no message waits to be published. */
  settled(): Promise<void>;
  stop(): void;
}

const over: readonly number[] = [jobStatus.success, jobStatus.error, jobStatus.canceled];

export function openBatch(site: ChaosSite, plan: readonly PlannedRun[]): ChaosBatch {
  const { girder, producer } = site;
  const stop = new AbortController();
  const runs: ChaosRun[] = [];
  let publishing: Promise<void> = Promise.resolve();
  let isPublishing = false;

  const statusOf = ({ girderJobId }: ChaosRun): number => girder.job(girderJobId)?.status ?? 0;
  const unfinished = (): number => runs.filter((run) => !over.includes(statusOf(run))).length;

  async function publish(wanted: readonly PlannedRun[]): Promise<void> {
    const messages: ProducedMessage[] = [];
    for (const planned of wanted) {
      const { run, message } = await prepare(site, planned);
      runs.push(run);
      messages.push(message, ...(planned.twice ? [message] : []));
    }
    // a failed attempt may have published some; a message that is delivered twice is still one run
    while (!stop.signal.aborted) {
      try {
        await producer.publish(messages);
        return;
      } catch {
        await pause(1_000);
      }
    }
  }

  async function pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: stop.signal }).catch(() => undefined);
  }

  const canBeClicked = (run: ChaosRun): boolean =>
    !run.isCanceledByUser && statusOf(run) === jobStatus.running;

  async function cancel(run: ChaosRun, afterMs: number): Promise<void> {
    run.isCanceledByUser = true;
    await pause(afterMs);
    // the broker may be down; the status in Girder is enough
    await girder.cancel(run.girderJobId).catch(() => undefined);
  }

  /** Cancels the runs that are planned to be canceled. */
  async function click(): Promise<void> {
    for (; !stop.signal.aborted; await pause(100)) {
      for (const run of runs.filter(canBeClicked)) {
        if (run.planned.cancelAfterMs !== null) void cancel(run, run.planned.cancelAfterMs);
      }
    }
  }
  void click();

  return {
    runs: () => runs,
    unfinished,
    publishUpTo(count, atOnce) {
      if (isPublishing) return;
      const room = Math.min(count - runs.length, atOnce - unfinished());
      const wanted = plan.slice(runs.length, runs.length + Math.max(0, room));
      if (wanted.length === 0) return;
      isPublishing = true;
      publishing = publish(wanted).finally(() => {
        isPublishing = false;
      });
    },
    cancelOne() {
      const run = runs.find(canBeClicked);
      if (run !== undefined) void cancel(run, 0);
    },
    settled: () => publishing,
    stop: () => stop.abort(),
  };
}

async function prepare(
  { girder }: ChaosSite,
  planned: PlannedRun,
): Promise<{ run: ChaosRun; message: ProducedMessage }> {
  const { number, spelling } = planned;
  const name = `slide ${number}`;
  const input = await girder.addFile(girder.rootFolderId, name, Buffer.from(inputText(planned)));
  const folder = girder.addFolder(girder.rootFolderId, `Results of ${name}`);
  const taskId = randomUUID();
  const title = `Chaos on ${name}`;
  const job = girder.createJob({ title, type: `${chaosImageName}#Work`, celeryTaskId: taskId });
  const files = [...expectedOutputs(planned).keys()].slice(0, 2);
  const outputs = [...files, ...(planned.directory ? [`tree ${number}`] : [])];
  const message = analysisMessage(
    {
      spelling,
      image: chaosImageName,
      title,
      taskId,
      args: [
        ...workArguments(planned),
        { file: input.id, name },
        ...outputs.map((output) => ({ output, toFolder: folder.id })),
      ],
    },
    {
      apiUrl: girder.apiUrl,
      userId: girder.userId,
      userToken: () => girder.userToken,
      clientToken: girder.clientToken(),
    },
    { id: job.id, jobInfoSpec: girder.jobInfoSpec(job) },
  );
  const run = { planned, taskId, girderJobId: job.id, resultFolderId: folder.id, isCanceledByUser: false };
  return { run, message };
}
