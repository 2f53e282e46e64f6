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
import type { Services } from '../worker-services.js';

export interface FetchRequest {
  /** `example/small:v1` */
  image: string;
  /** Path of its SIF. */
  sif: string;
  /** False: use the existing file. */
  pull: boolean;
  /** Identifies the partial files and jobs of this request. */
  key: string;
  /** Called with the output of the pull. */
  onOutput: (text: string) => void;
  signal: AbortSignal;
}

/** An image whose CLIs are known. */
export interface FetchedImage {
  facts: ImageFacts;
  clis: DescribedCli[];
}

/**
 * Pulls an image if requested and queries its CLIs. A new file replaces an old one only after the query has succeeded.
 * @throws DsaSlurmError `image`
 */
export async function fetchImage(
  { image, sif, pull, key, onOutput, signal }: FetchRequest,
  { settings, apptainer, imageIngest }: Services<'settings' | 'apptainer' | 'imageIngest'>,
): Promise<FetchedImage> {
  const queryImage = async (file: string): Promise<FetchedImage> => {
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
  return pull ? imageIngest.pull(image, sif, { key, onOutput, verify: queryImage, signal }) : queryImage(sif);
}
