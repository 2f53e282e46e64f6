/** Slurm's word for where a job is: one base state, and flags beside it, spelled as Slurm spells them. */
export interface JobState {
  base: string;
  flags: readonly string[];
}
