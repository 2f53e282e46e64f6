import type { Task, TaskResult } from './task.js';

/** A result for the caller's own queue, published through the default exchange. */
export interface ResultMessage {
  queue: string;
  correlationId: string;
  content: Buffer;
}

/** The fields of a task that determine where its result goes. */
export type ResultTask = Pick<Task, 'id' | 'replyTo' | 'correlationId' | 'ignoreResult'>;

/**
 * The result of a task as Celery's `rpc://` back end publishes it (contract, section h); null if no caller
 * waits for it. The caller creates a Python exception from `exc_module` and `exc_type`, so only classes that every Celery has
 * are used.
 */
export function resultMessage(task: ResultTask, result: TaskResult): ResultMessage | null {
  if (task.ignoreResult || task.replyTo === null) return null;
  const body = {
    task_id: task.id,
    status: result.status,
    result: resultValue(result),
    traceback: null,
    children: result.status === 'SUCCESS' ? (result.children ?? []) : [],
  };
  return {
    queue: task.replyTo,
    correlationId: task.correlationId ?? task.id,
    content: Buffer.from(JSON.stringify(body)),
  };
}

function resultValue(result: TaskResult) {
  switch (result.status) {
    case 'SUCCESS':
      return null;
    case 'FAILURE':
      return pythonError('builtins', 'RuntimeError', result.message);
    case 'REVOKED':
      return pythonError('celery.exceptions', 'TaskRevokedError', result.reason);
  }
}

function pythonError(module: string, type: string, message: string) {
  return { exc_type: type, exc_message: [message], exc_module: module };
}
