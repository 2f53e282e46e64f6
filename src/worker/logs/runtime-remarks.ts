/** Warnings of Apptainer about images without these files; no option turns them off. */
const remarks = /^(?:WARNING: (?:passwd|group) file doesn't exist in container, not updating\n)+/;

/** Removes warnings of the container runtime from the beginning of a log. */
export function withoutRuntimeRemarks(text: string): string {
  return text.replace(remarks, '');
}
