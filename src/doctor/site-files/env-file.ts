/** Reads `NAME=value` lines of a compose `.env` file, with or without quotes. */
export function readEnv(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').map((line) => /^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$/.exec(line));
  return new Map(
    lines.flatMap((match) => {
      const [, name, value = ''] = match ?? [];
      return name === undefined ? [] : [[name, value.replace(/^(['"])(.*)\1$/, '$2')] as const];
    }),
  );
}
