/**
 * Names of Celery tasks that Girder and its plugins publish, compared with the task registries of Girder 3, Girder 5 and both
 * Slurm forks.
 */

/** The only task that accepts positional parameters. */
export const generalContainerTask = 'girder_worker.docker.tasks.docker_run';

/** Girder 5: pulls images and registers their CLIs. */
export const ingestTask = 'slicer_cli_web.image_job.ingest_from_docker';

/** Tasks that this worker runs: those that run a container, and the one that adds images. */
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
    'it belongs to an obsolete version of girder_worker and does not name a container image',
  ],
  [
    'large_image_tasks.tasks.create_tiff',
    'it converts an image in Python and does not name a container image; run a standard girder_worker for it, or convert the image before uploading it',
  ],
]);

/** Why this worker cannot run a task of this name, as a sentence; null if it can. */
export function whyNotRunnable(name: string): string | null {
  if (runnableTasks.includes(name)) return null;
  const shown = JSON.stringify(name.length > 120 ? `${name.slice(0, 119)}…` : name);
  return `The task ${shown} cannot be run by dsa-slurm: ${reason(name)}. Set broker.forwardQueue to forward such tasks to another queue.`;
}

function reason(name: string): string {
  if (name.startsWith('girder.') || name.startsWith('girder_import_tracker.')) {
    return 'it needs the database of Girder and belongs in its queue "local"';
  }
  return knownReasons.get(name) ?? 'only tasks that run a container are supported';
}
