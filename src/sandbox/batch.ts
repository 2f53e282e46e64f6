import { randomUUID } from 'node:crypto';
import type { Outcome } from '../worker/run-state/run.js';
import { drawSlide, type Slide } from './demo/slide.js';
import type { FakeGirder } from './fake-girder/index.js';
import { analysisMessage, type Spelling, type ProducedMessage } from './producer/message.js';

/** The demo image, as Girder knows it. */
export const demoImageName = 'dsa-slurm/demo:v1';

/** One demo analysis before it is published, and its expected outcome. */
export interface PlannedCase {
  number: number;
  slideName: string;
  seed: number;
  width: number;
  height: number;
  spelling: Spelling;
  /** The slide is mounted from Girder's own path instead of downloaded. */
  direct: boolean;
  /** How long the analysis takes. */
  seconds: number;
  expected: Outcome;
  /** Canceled in the console, so Girder did not ask for it. */
  canceledHere?: true;
}

/** A case whose Girder job exists and whose message is ready. */
export interface DemoCase extends PlannedCase {
  taskId: string;
  girderJobId: string;
  resultFolderId: string;
  /** Where the slide lies in Girder's assetstore. */
  assetPath: string;
}

const spellings: readonly Spelling[] = ['docker', 'singularity', 'singularityInTree', 'dockerRun'];

/**
 * Cycles through the spellings of the task. The last case is canceled while it runs, and the one before it gets half a
 * slide, if the batch is large enough.
 */
export function planBatch(count: number): PlannedCase[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const expected: Outcome =
      number === count && count > 2 ? 'canceled' : number === count - 1 ? 'failed' : 'succeeded';
    const spelling = spellings[index % spellings.length] ?? 'docker';
    return {
      number,
      // Names as people give them: with spaces and letters beyond ASCII.
      slideName: number % 3 === 0 ? `Schnitt ${number} Färbung HE.tiff` : `slide ${number}.tiff`,
      seed: number,
      width: 480 + 80 * (index % 5),
      height: 360 + 60 * (index % 4),
      spelling,
      direct: spelling === 'docker' && number % 3 === 2,
      // equal arguments make the runs one batch, but for the one that would never end
      seconds: expected === 'canceled' ? 600 : 3,
      expected,
    };
  });
}

export function slideOf({ seed, width, height }: PlannedCase): Slide {
  return drawSlide({ seed, width, height });
}

/** The names of a case's outputs: result, summary and mask. */
export function outputNames({ number }: PlannedCase): [string, string, string] {
  return [`result ${number}.json`, `summary ${number}.csv`, `mask ${number}.pgm`];
}

/** Puts slides, a Girder job and a result folder for each case into Girder, and makes the messages. */
export async function fillGirder(
  girder: FakeGirder,
  plan: readonly PlannedCase[],
): Promise<{ cases: DemoCase[]; messages: ProducedMessage[] }> {
  const slides = girder.addFolder(girder.rootFolderId, 'Slides');
  const results = girder.addFolder(girder.rootFolderId, 'Results');
  const site = {
    apiUrl: girder.apiUrl,
    userId: girder.userId,
    userToken: () => girder.userToken,
    clientToken: girder.clientToken(),
  };
  const cases: DemoCase[] = [];
  const messages: ProducedMessage[] = [];
  for (const planned of plan) {
    const { tiff } = slideOf(planned);
    const content = planned.expected === 'failed' ? tiff.subarray(0, tiff.length / 2) : tiff;
    const file = await girder.addFile(slides.id, planned.slideName, content);
    const folder = girder.addFolder(results.id, `Results of ${planned.slideName}`);
    const taskId = randomUUID();
    const title = `Tissue fraction on ${planned.slideName}`;
    const type = `${demoImageName}#TissueFraction`;
    const job = girder.createJob({ title, type, celeryTaskId: taskId });
    cases.push({ ...planned, taskId, girderJobId: job.id, resultFolderId: folder.id, assetPath: file.path });
    messages.push(
      analysisMessage(
        {
          spelling: planned.spelling,
          image: demoImageName,
          title,
          taskId,
          args: [
            'TissueFraction',
            '--seconds',
            String(planned.seconds),
            {
              file: file.id,
              name: planned.slideName,
              ...(planned.direct ? { directPath: file.path } : {}),
            },
            ...outputNames(planned).map((output) => ({ output, toFolder: folder.id })),
          ],
        },
        site,
        { id: job.id, jobInfoSpec: girder.jobInfoSpec(job) },
      ),
    );
  }
  return { cases, messages };
}
