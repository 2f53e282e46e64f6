/** What Apptainer says of an image without these files before its program starts, and what no option turns off. */
const remarks = /^(?:WARNING: (?:passwd|group) file doesn't exist in container, not updating\n)+/;

/** The beginning of a log without what the container runtime says there on its own account. */
export function withoutRuntimeRemarks(text: string): string {
  return text.replace(remarks, '');
}
