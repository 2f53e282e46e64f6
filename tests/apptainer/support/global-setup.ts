import type { TestProject } from 'vitest/node';
import { prepareRealRoot } from './real-root.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Directory of the Debian root that holds the real Apptainer. */
    apptainerRoot: string;
  }
}

/** The root is made once, and kept for later runs. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide('apptainerRoot', await prepareRealRoot());
}
