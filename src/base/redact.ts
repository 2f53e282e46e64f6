const masked = '***';

const secretFlag = /^--?[\w-]*(token|passw|secret|api[-_]?key|credential)[\w-]*$/i;
const secretPair = /^(-{0,2}[\w-]*(?:token|passw|secret|api[-_]?key|credential)[\w-]*=).+$/is;

/**
 * An argument vector that may be shown: values of arguments that are called like secrets, passwords in addresses, and
 * whatever looks like a token or an API key of Girder (contract, section b: 64 letters and digits; section k: 40) are
 * left out.
 */
export function maskArguments(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    const before = args[index - 1];
    if (before !== undefined && secretFlag.test(before) && !arg.startsWith('-')) return masked;
    return maskText(arg.replace(secretPair, `$1${masked}`));
  });
}

/** The same for a text of any kind. */
export function maskText(text: string): string {
  return text
    .replaceAll(/(\/\/[^\s/:@]*:)[^\s/@]+@/g, `$1${masked}@`)
    .replaceAll(
      /(?<![A-Za-z0-9])(?![0-9a-f]+(?![A-Za-z0-9]))([A-Za-z0-9]{64}|[A-Za-z0-9]{40})(?![A-Za-z0-9])/g,
      masked,
    );
}
