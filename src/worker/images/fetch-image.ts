import { containerEntry, containerHome } from '../../apptainer/entry.js';
import {
  containerEnvironment,
  execArguments,
  quietEnvironment,
  runtimeOf,
} from '../../apptainer/exec-args.js';
import type { DescribedCli } from '../../apptainer/ingest.js';
import type { ImageFacts } from '../../apptainer/inspect.js';
import { isolationOff } from '../job-request/isolation.js';
import type { WorkerServices } from '../worker-services.js';

export interface FetchRequest {
  /** `example/small:v1` */
  image: string;
  /** Where its file is, or shall be. */
  sif: string;
  /** False: the file that is there is asked. */
  pull: boolean;
  /** Tells half files and jobs of this request from those of others. */
  key: string;
  /** Told of what the runtime says while it pulls. */
  onOutput: (text: string) => void;
  signal: AbortSignal;
}

/** An image that has answered. */
export interface FetchedImage {
  facts: ImageFacts;
  clis: DescribedCli[];
}

/**
 * Brings an image here and asks it for its CLIs. A new file takes the place of an old one only after it has answered.
 * @throws DsaSlurmError `image`
 */
export async function fetchImage(
  { image, sif, pull, key, onOutput, signal }: FetchRequest,
  { settings, apptainer, imageIngest }: Pick<WorkerServices, 'settings' | 'apptainer' | 'imageIngest'>,
): Promise<FetchedImage> {
  const ask = async (file: string): Promise<FetchedImage> => {
    const facts = await apptainer.probe(image, file);
    const entrySettings = {
      workingDirectory: settings.apptainer.workingDirectory,
      entrypoint: settings.apptainer.entrypoint === null ? null : [settings.apptainer.entrypoint],
    };
    const off = isolationOff(settings.apptainer, image);
    const environment = off.has('variables') ? undefined : facts.oci?.environment;
    const runtime = runtimeOf(settings.apptainer.command);
    const clis = await imageIngest.clis(
      image,
      (args) => {
        const { workingDirectory, command } = containerEntry({
          image,
          facts,
          settings: entrySettings,
          entrypoint: null,
          args,
        });
        const options = settings.apptainer.options;
        const isolation = {
          off,
          home: containerHome(facts, {}),
          replacesEnvironment: environment !== undefined,
          space: null,
        };
        const exec = execArguments({
          sif: file,
          workingDirectory,
          binds: [],
          gpu: false,
          isolation,
          options,
        });
        return [...exec, ...command];
      },
      {
        key,
        env: { ...containerEnvironment(environment ?? {}, runtime), ...quietEnvironment(runtime) },
        signal,
      },
    );
    return { facts, clis };
  };
  return pull ? imageIngest.pull(image, sif, { key, onOutput, verify: ask, signal }) : ask(sif);
}
