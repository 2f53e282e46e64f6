import type { JobState } from '../../../slurm/states.js';
import { endedStates, type Row } from '../../state/rows.js';
import type { Glyphs, Tone } from '../../terminal/theme.js';

/** The status of a row. Symbol and word carry the meaning without color. */
interface RowStatus {
  glyph: keyof Glyphs;
  word: string;
  tone: Tone;
}

/** Slurm's job state (upper case) while the job waits or runs, otherwise the run's stage or outcome (lower case). */
export function rowStatus({ run, job }: Row): RowStatus {
  if (run === null) return jobStatus(job.state);
  if (run.outcome !== null) {
    switch (run.outcome) {
      case 'succeeded':
        return { glyph: 'succeeded', word: run.outcome, tone: 'good' };
      case 'failed':
        return { glyph: 'failed', word: run.outcome, tone: 'bad' };
      case 'canceled':
        return { glyph: 'canceled', word: run.outcome, tone: 'muted' };
    }
  }
  if (run.cancelRequested) return { glyph: 'working', word: 'canceling', tone: 'warning' };
  switch (run.stage) {
    case 'accepted':
      return { glyph: 'waiting', word: run.stage, tone: 'waiting' };
    case 'staging':
    case 'submitting':
    case 'collecting':
      return { glyph: 'working', word: run.stage, tone: 'busy' };
    case 'queued':
      return job === null ? { glyph: 'waiting', word: run.stage, tone: 'waiting' } : jobStatus(job.state);
    case 'running':
      return job === null ? { glyph: 'running', word: run.stage, tone: 'good' } : jobStatus(job.state);
    case 'finished':
      return unknown(run.stage);
  }
}

/** The status of a job by its own state. */
export function jobStatus({ base, flags }: JobState): RowStatus {
  const word = flags[0] ?? base;
  if (base === 'PENDING') return { glyph: 'waiting', word, tone: 'waiting' };
  if (base === 'RUNNING') {
    return flags.length === 0
      ? { glyph: 'running', word, tone: 'good' }
      : { glyph: 'working', word, tone: 'busy' };
  }
  if (base === 'COMPLETED') return { glyph: 'succeeded', word, tone: 'good' };
  if (base === 'CANCELLED') return { glyph: 'canceled', word, tone: 'muted' };
  if (base === 'SUSPENDED') return { glyph: 'working', word, tone: 'warning' };
  return endedStates.has(base) ? { glyph: 'failed', word, tone: 'bad' } : unknown(word);
}

function unknown(word: string): RowStatus {
  return { glyph: 'unknown', word, tone: 'plain' };
}
