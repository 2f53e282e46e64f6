import type { Task } from '../../src/celery/messages/task.js';

/** A task; a test sets only the fields that it is about. */
export function someTask(over: Partial<Task> = {}): Task {
  return {
    id: 'run-1',
    name: 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run',
    headers: { girder_client_token: 'SECRET' },
    body: '[[], {}, {}]',
    queue: 'celery',
    replyTo: null,
    correlationId: null,
    ignoreResult: false,
    eta: null,
    expires: null,
    retries: 0,
    rootId: null,
    parentId: null,
    priority: 0,
    redelivered: false,
    ...over,
  };
}
