import type { IsolationPart } from '../../apptainer/isolation.js';
import { globMatches } from '../../base/text/glob.js';
import type { Settings } from '../../config/schema.js';

/** The parts of the container isolation that the settings turn off for an image. */
export function isolationOff(
  { isolationExceptions }: Pick<Settings['apptainer'], 'isolationExceptions'>,
  image: string,
): Set<IsolationPart> {
  return new Set(
    isolationExceptions
      .filter(
        (exception) => exception.image === undefined || globMatches(exception.image, image, { sets: false }),
      )
      .flatMap(({ off }) => off),
  );
}
