/**
 * Names of Celery tasks that Girder and its plugins publish. Checked by the contract against the registries of Girder 3,
 * Girder 5 and both Slurm forks.
 */

/** Takes its parameters by position too; every other task takes keywords only. */
export const generalContainerTask = 'girder_worker.docker.tasks.docker_run';

/** Girder 5's own: pulls images and tells Girder what they can do. */
export const ingestTask = 'slicer_cli_web.image_job.ingest_from_docker';

/** Tasks that are run here: those that run a container, and the one that adds images. */
export const runnableTasks: readonly string[] = [
  'slicer_cli_web.girder_worker_plugin.direct_docker_run.run',
  'slicer_cli_web_singularity.girder_worker_plugin.direct_singularity_run.run',
  'slicer_cli_web.singularity.slicer_cli_web_singularity.girder_worker_plugin.direct_singularity_run.run',
  generalContainerTask,
  ingestTask,
];

const knownReasons: ReadonlyMap<string, string> = new Map([
  [
    'girder_worker.run',
    'it belongs to a version of girder_worker that is no longer in use, and names no container image',
  ],
  [
    'large_image_tasks.tasks.create_tiff',
    'it converts an image in Python and names no container image; let a standard girder_worker take it, or convert the image before uploading it',
  ],
]);

/** A sentence on why a task of this name is not run here; null if it is. */
export function whyNotRunnable(name: string): string | null {
  if (runnableTasks.includes(name)) return null;
  const shown = JSON.stringify(name.length > 120 ? `${name.slice(0, 119)}…` : name);
  return `The task ${shown} cannot be run by dsa-slurm: ${reason(name)}. The setting broker.forwardQueue names a queue that such tasks are handed on to.`;
}

function reason(name: string): string {
  if (name.startsWith('girder.') || name.startsWith('girder_import_tracker.')) {
    return 'it needs the database of Girder and belongs on its queue "local"';
  }
  return knownReasons.get(name) ?? 'only tasks that run a container are known here';
}
