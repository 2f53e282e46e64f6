/** What an operator can set. Other rooms import from here, and from ./problems.js where only the error is needed. */
export { catalog, checkValue, findSetting, maskedValue, formatValue, type Setting } from './catalog.js';
export { loadSettings, formatOrigin, type LoadedSettings, type LoadOptions, type Origin } from './load.js';
export { configDirectory, profilePath, unitDirectory, unitName } from './paths.js';
export { ConfigError, type ConfigProblem } from './config-error.js';
export { listProfiles, unknownSetting } from './profile.js';
export { parseValue } from './parse-value.js';
export { saveSettings, type SaveOptions } from './save.js';
export type { Settings } from './schema.js';
