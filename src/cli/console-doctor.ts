import type { LoadedSettings } from '../config/load.js';
import type { DoctorPort } from '../console/state/doctor-state.js';
import type { CliContext } from './context.js';

/** The doctor for the console: it looks at the settings that the worker runs with. Loaded when it is first asked for. */
export function consoleDoctor(
  { profile, settings, origins, path, warnings }: LoadedSettings & { profile: string },
  { env }: CliContext,
): () => Promise<DoctorPort> {
  return async () => {
    const { createRunContext } = await import('../doctor/index.js');
    const { createExaminer } = await import('../doctor/check-session.js');
    const configuration = { path, origins, warnings, problems: [] };
    return createExaminer(createRunContext({ profile, settings, configuration, env }));
  };
}
